// Times in the reader's own zone. The server writes them in its zone, which stands without scripts.

/** A clock writes a Date in one zone (the browser's, unless one is named): text(date, shape), title(date), day(date). */
export function clock(timeZone) {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23', weekday: 'long', year: 'numeric', month: 'long',
    day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, timeZoneName: 'short',
  });
  const months = new Intl.DateTimeFormat('en-GB', { timeZone, calendar: 'gregory', numberingSystem: 'latn', month: '2-digit' });
  const zone = format.resolvedOptions().timeZone;
  const parts = (date) => {
    const all = Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]));
    const ymd = `${all.year.padStart(4, '0')}-${months.format(date)}-${all.day.padStart(2, '0')}`;
    return { ...all, ymd, hms: `${all.hour}:${all.minute}:${all.second}` };
  };
  return {
    text(date, shape) {
      const p = parts(date);
      switch (shape) {
        case 'clock': return p.hms;
        case 'minute': return `${p.ymd} ${p.hour}:${p.minute}`;
        case 'day': return `${p.weekday} ${p.day} ${p.month} ${p.year}`;
      }
      return `${p.ymd} ${p.hms}`;
    },
    title(date) {
      const p = parts(date);
      const named = p.timeZoneName === zone ? zone : `${p.timeZoneName} (${zone})`;
      return `${p.ymd} ${p.hms}.${p.fractionalSecond} ${named}`;
    },
    day: (date) => parts(date).ymd,
  };
}

/**
 * Cuts a list of days, each {day, items}, anew by dayOf(item): items keep their order, and a day starts where dayOf changes.
 * Returns null if the cuts stay where they are.
 */
export function cutByDay(days, dayOf) {
  const cut = [];
  for (const item of days.flatMap((d) => d.items)) {
    const day = dayOf(item);
    if (cut.at(-1)?.day !== day) cut.push({ day, items: [] });
    cut.at(-1).items.push(item);
  }
  const same = cut.length === days.length && cut.every((d, i) => d.items.length === days[i].items.length);
  return same ? null : cut;
}

let own; // the clock of the browser's zone: making one is slow, and rows arrive by the dozen

/** Writes every <time data-local> in and at root in the reader's zone, and cuts timelines where the reader's days begin. */
export function localise(root, local = (own ??= clock())) {
  const times = [...root.querySelectorAll('time[data-local]')];
  if (root.matches?.('time[data-local]')) times.push(root);
  for (const time of times) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    time.textContent = local.text(date, time.dataset.local);
    if (time.dataset.local === 'day') time.title = local.title(date).split(' ').slice(2).join(' ');
    else time.title = local.title(date);
  }
  for (const timeline of root.querySelectorAll('.timeline')) recut(timeline, local);
}

function recut(timeline, local) {
  const lists = [...timeline.querySelectorAll(':scope > ol')];
  const days = lists.map((list) => ({ items: [...list.children] }));
  const timeOf = (item) => item.querySelector('.meta time[datetime]');
  if (days.some(({ items }) => items.some((item) => !timeOf(item)))) return; // an event whose time is not known has its own heading
  const cut = cutByDay(days, (item) => local.day(new Date(timeOf(item).dateTime)));
  if (!cut) return;
  timeline.replaceChildren(...cut.flatMap(({ items }) => {
    const [head, time, list] = ['h3', 'time', 'ol'].map((name) => timeline.ownerDocument.createElement(name));
    const first = new Date(timeOf(items[0]).dateTime);
    head.className = 'day';
    time.dateTime = first.toISOString();
    time.dataset.local = 'day';
    time.textContent = local.text(first, 'day');
    time.title = local.title(first).split(' ').slice(2).join(' ');
    head.append(time);
    list.append(...items);
    return [head, list];
  }));
}

/** Writes the times of the page. */
export function start(document) {
  localise(document);
}
