import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

// Set by `make e2e-distributed`: every server stands on DynamoDB and Elasticsearch.
const distributed = process.env.HEADWAY_E2E_ENGINES === 'distributed';
if (distributed && !(process.env.HEADWAY_TEST_DYNAMODB && process.env.HEADWAY_TEST_ELASTICSEARCH)) {
  throw new Error('No engines were started: run `make e2e-distributed`.');
}

const startTimeout = 60_000;
const stopTimeout = 20_000;

/** A real server on a data folder of its own, and the program's other commands on the same folder. */
export class Server {
  #flags;
  #engines = engines();
  #child;
  #output = '';

  constructor(flags = []) {
    this.data = mkdtempSync(join(tmpdir(), 'headway-data-'));
    this.url = '';
    this.#flags = flags;
  }

  /** Starts it on a free port; once it has had one, on that same port, so that open pages find it again. */
  async start() {
    if (distributed && !this.url) await this.#makeTables();
    const addr = this.url ? new URL(this.url).host : '127.0.0.1:0';
    this.#output = '';
    this.#child = spawn(program('web'), ['--addr', addr, '--data', this.data, ...this.#engines, ...this.#flags], { env: environment() });
    this.url = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`The server did not start:\n${this.#output}`)), startTimeout);
      const read = (chunk) => {
        this.#output += chunk;
        const said = /Headway is at (http:\/\/[\d.]+:\d+)/.exec(this.#output);
        if (said) {
          clearTimeout(timer);
          resolve(said[1]);
        }
      };
      this.#child.stdout.on('data', read);
      this.#child.stderr.on('data', read);
      this.#child.once('exit', (code, signal) => {
        clearTimeout(timer);
        reject(new Error(`The server ended with ${signal ?? code}:\n${this.#output}`));
      });
    });
  }

  async #makeTables() {
    const { code, stdout, stderr } = await this.web(['tables', 'create']);
    if (code !== 0) throw new Error(`The tables were not made:\n${stdout}${stderr}`);
  }

  /** kill -9: nothing is said goodbye to. */
  async kill() {
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  /** Falls silent without closing anything, as a machine that hangs does. */
  freeze() {
    this.#child.kill('SIGSTOP');
  }

  thaw() {
    this.#child.kill('SIGCONT');
  }

  /** Keeps the projections from writing rows into their file until the function it answers is called. */
  async lock() {
    const child = spawn(program('lock'), [this.data], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    return async () => {
      const gone = once(child, 'exit');
      child.stdin.end();
      await gone;
    };
  }

  /** Asks it to stop, and insists that it does so by itself and with exit code 0. */
  async stop() {
    if (!this.#child || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopTimeout);
    const [code, signal] = await gone;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`The server stopped with ${signal ?? code}:\n${this.#output}`);
  }

  /** Stops it and throws its data away. */
  async end() {
    try {
      await this.stop();
    } finally {
      rmSync(this.data, { recursive: true, force: true });
    }
  }

  /** What it has printed since its last start. */
  get output() {
    return this.#output;
  }

  /** Runs another command of the program on the same data: web(['import', FILE]) → {code, stdout, stderr}. */
  web(args) {
    return new Promise((resolve) => {
      execFile(program('web'), [...args, '--data', this.data, ...this.#engines], { env: environment(), cwd: root }, (err, stdout, stderr) =>
        resolve({ code: err ? (err.code ?? -1) : 0, stdout, stderr }));
    });
  }

  /** Asks as a program does. Answers {status, body, headers}. */
  async ask(method, path, body) {
    const headers = { Accept: 'application/json' };
    if (body) headers['Content-Type'] = 'application/json';
    const answer = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body), redirect: 'manual' });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text ? JSON.parse(text) : null };
  }

  /** Makes an order and waits until every projection has it. Answers its id. */
  async order({ reference = 'R-' + randomUUID().slice(0, 8), customerId = 'Ada Lovelace', currency = 'EUR', items } = {}) {
    const lines = items ?? [{ sku: 'LAMP-1', name: 'Desk lamp', quantity: 2, price: '12.50' }];
    const receipt = await this.#command('/orders', { customerId, currency, reference, items: lines }, 201);
    await this.settled(receipt.orderId);
    return { id: receipt.orderId, reference, version: receipt.version };
  }

  add(id, expectedVersion, item = { sku: 'BULB-9', name: 'Bulb', quantity: 1, price: '3.00' }) {
    return this.#command(`/orders/${id}/items`, { expectedVersion, ...item });
  }

  confirm(id, expectedVersion) {
    return this.#command(`/orders/${id}/confirm`, { expectedVersion });
  }

  cancel(id, expectedVersion, reason = 'The customer changed their mind') {
    return this.#command(`/orders/${id}/cancel`, { expectedVersion, reason });
  }

  async #command(path, body, status = 200) {
    const answer = await this.ask('POST', path, { commandId: randomUUID(), ...body });
    if (answer.status !== status) throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Waits until the order list and the customers show the order's head. */
  async settled(id) {
    const until = Date.now() + 20_000;
    for (;;) {
      const { body } = await this.ask('GET', `/orders/${id}`);
      const stamps = Object.values(body.stamps ?? {});
      if (stamps.length > 0 && stamps.every((stamp) => stamp.state === 'current')) return;
      if (Date.now() > until) throw new Error(`Order ${id} did not settle: ${JSON.stringify(body.stamps)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** The flags that name engines which nobody else uses; none for the embedded pair, whose files are in the data folder. */
function engines() {
  if (!distributed) return [];
  const name = 'e2e-' + randomUUID().slice(0, 8);
  return ['--events', `dynamodb:${name}`, '--read', `elasticsearch:${process.env.HEADWAY_TEST_ELASTICSEARCH}?prefix=${name}`];
}

/** The path of a program that build.mjs built. */
export function program(name) {
  const folder = process.env.HEADWAY_E2E_PROGRAMS;
  if (!folder) throw new Error('build.mjs did not run.');
  return join(folder, name);
}

// The settings of whoever runs the tests must not reach the server under test.
function environment() {
  const settings = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HEADWAY_')));
  if (!distributed) return settings;
  // DynamoDB Local takes any credentials.
  return { ...settings, AWS_ENDPOINT_URL_DYNAMODB: process.env.HEADWAY_TEST_DYNAMODB, AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'headway', AWS_SECRET_ACCESS_KEY: 'headway' };
}
