import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './server.mjs';

// Builds the program once for all tests, and throws it away afterwards.
export default function build() {
  const folder = mkdtempSync(join(tmpdir(), 'headway-e2e-'));
  process.env.HEADWAY_E2E_PROGRAM = join(folder, 'web');
  execFileSync('go', ['build', '-o', process.env.HEADWAY_E2E_PROGRAM, './cmd/web'], { cwd: root, stdio: 'inherit' });
  return () => rmSync(folder, { recursive: true, force: true });
}
