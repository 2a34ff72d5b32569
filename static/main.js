// What every page runs.
import './theme.js';
import * as copy from './copy.js';
import * as forms from './forms.js';
import * as keys from './keys.js';
import * as live from './live.js';
import * as search from './search.js';
import * as suggest from './suggest.js';
import * as time from './time.js';

for (const part of [time, copy, keys, forms, suggest, search, live]) part.start(document);
