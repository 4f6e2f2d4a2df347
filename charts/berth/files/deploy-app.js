// `helm test`: deploys an app through the Service, sees it run, removes it, sees it gone. Exit code 0 says that all of it worked.
'use strict';
const { readFileSync } = require('node:fs');

const { BERTH_URL, TOKEN_FILE, APP_IMAGE, TIMEOUT_SECONDS = '240', AGENTS_EXPECTED = 'true' } = process.env;
const deadline = Date.now() + Number(TIMEOUT_SECONDS) * 1000;
const id = `/helm-test-${Date.now().toString(36)}`;
const authorization = TOKEN_FILE ? { authorization: `Bearer ${readFileSync(TOKEN_FILE, 'utf8').trim()}` } : {};

async function call(method, path, body) {
  const response = await fetch(BERTH_URL + path, {
    method,
    headers: { ...authorization, accept: 'application/json', 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  });
  const text = await response.text();
  return { status: response.status, text, json: () => JSON.parse(text) };
}

/** Asks until the answer is there; an error is an answer that is not. */
async function until(what, probe) {
  let last = 'nothing yet';
  console.log(`waiting: ${what}`);
  for (;;) {
    try {
      const answer = await probe();
      if (answer.done) return answer.value;
      last = answer.last;
    } catch (error) {
      last = error.cause ? `${error.message}: ${error.cause.message}` : error.message;
    }
    if (Date.now() > deadline) throw new Error(`gave up waiting: ${what}; last answer: ${last}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function accepted({ status, text }, what) {
  if (status >= 300) throw new Error(`${what} was answered with ${status} ${text}`);
}

const running = async () => {
  const { status, text, json } = await call('GET', `/v2/apps${id}`);
  if (status !== 200) return { done: false, last: `${status} ${text}` };
  const { app } = json();
  if (app.tasksRunning >= app.instances && app.deployments.length === 0) return { done: true };
  const why = app.lastTaskFailure ? `; ${app.lastTaskFailure.state}: ${app.lastTaskFailure.message}` : '';
  return { done: false, last: `${app.tasksRunning} of ${app.instances} run${why}` };
};

const gone = async () => {
  const [app, tasks] = await Promise.all([call('GET', `/v2/apps${id}`), call('GET', '/v2/tasks')]);
  const left = tasks.json().tasks.filter((task) => task.appId === id).length;
  return { done: app.status === 404 && left === 0, last: `the app answers ${app.status}, ${left} tasks are left` };
};

async function main() {
  await until('a server is ready', async () => {
    const { status, text } = await call('GET', '/readyz');
    return { done: status === 200, last: `${status} ${text.trim()}` };
  });
  const agents = await until('the agents', async () => {
    const { status, text, json } = await call('GET', '/v1/status');
    if (status !== 200) return { done: false, last: `${status} ${text.trim()}` };
    const active = json().agents.filter((agent) => agent.state === 'active').length;
    return { done: active > 0 || AGENTS_EXPECTED !== 'true', value: active, last: 'no agent is active' };
  });
  const instances = agents > 0 ? 1 : 0;
  if (instances === 0) console.log('no agents have joined yet: the app is deployed without instances');
  const app = { id, cmd: 'sleep 3600', cpus: 0.01, mem: 16, instances, container: { type: 'DOCKER', docker: { image: APP_IMAGE } } };
  accepted(await call('POST', '/v2/apps', app), `POST /v2/apps ${id}`);
  try {
    await until(`${id} runs`, running);
  } catch (error) {
    console.error(`/v2/queue says: ${(await call('GET', '/v2/queue')).text}`);
    throw error;
  } finally {
    accepted(await call('DELETE', `/v2/apps${id}?force=true`), `DELETE /v2/apps${id}`);
  }
  await until(`${id} is gone`, gone);
  console.log(`ok: ${id} was deployed with ${instances} instance(s) and removed`);
}

main().catch((error) => {
  console.error(`FAILED: ${error.message}`);
  process.exitCode = 1;
});
