import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './server.mjs';

// Builds the program, and those that break and lock its data, once for all tests, and throws both away afterwards.
export default function build() {
  const folder = mkdtempSync(join(tmpdir(), 'headway-e2e-'));
  process.env.HEADWAY_E2E_PROGRAMS = folder;
  execFileSync('go', ['build', '-o', folder, './cmd/web', './e2e/poison', './e2e/lock'], { cwd: root, stdio: 'inherit' });
  return () => rmSync(folder, { recursive: true, force: true });
}
