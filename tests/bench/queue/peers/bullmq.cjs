// BullMQ on node: 50 jobs at once, finished jobs removed; at-least-once by itself. The contract: ../contract.py.
// https://docs.bullmq.io/guide/workers/concurrency and .../guide/queues/auto-removal-of-jobs (6.7.0, November 2026).
// Found through NODE_PATH, so this file may lie where no node_modules is.

const { openSync, writeSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const { Queue, Worker } = require('bullmq');
const Redis = require('ioredis');

const CONCURRENCY = 50;
const CALLERS = 50;
const PADDING = 'x'.repeat(450);
const LEAST_GAP_MS = 20;
const MOST_GAP_MS = 60;

const effects = openSync(process.env.EFFECTS ?? '/dev/null', 'a');

async function run({ data: { n, ms } }) {
  if (ms) await sleep(ms);
  writeSync(effects, `${n} ${process.hrtime.bigint()}\n`);
}

async function burst(send, first, jobs, ms) {
  let n = first;
  const call = async () => { while (n < first + jobs) await send(n++, ms); };
  const began = process.hrtime.bigint();
  await Promise.all(Array.from({ length: CALLERS }, call));
  console.log(Number(process.hrtime.bigint() - began) / 1e9);
}

async function trickle(send, first, jobs) {
  for (let n = first; n < first + jobs; n++) {
    await sleep(LEAST_GAP_MS + Math.random() * (MOST_GAP_MS - LEAST_GAP_MS));
    const sentAt = process.hrtime.bigint();
    await send(n, 0);
    console.log(`${n} ${sentAt}`);
  }
}

async function withSend(connection, act, numbers) {
  const queue = new Queue('bench', { connection, defaultJobOptions: { removeOnComplete: true } });
  await queue.waitUntilReady();
  await act((n, ms) => queue.add('run', { n, ms, padding: PADDING }), ...numbers);
  await queue.close();
}

async function main() {
  const [verb, url, ...rest] = process.argv.slice(2);
  const connection = new (Redis.Redis ?? Redis)(url, { maxRetriesPerRequest: null });
  if (verb === 'work') {
    new Worker('bench', run, { connection, concurrency: CONCURRENCY });
    return;
  }
  await withSend(connection, { burst, trickle }[verb], rest.map(Number));
  process.exit(0);
}

main();
