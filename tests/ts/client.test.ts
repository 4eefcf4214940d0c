import { ServerConnection } from '@jupyterlab/services';
import { expect, it } from 'vitest';

import { PipelinesClient } from '../../labextension/src/client';
import { ResponseError, UnavailableError } from '../../labextension/src/request';

/** A server that gives one answer, and remembers what it was asked. */
function serverThat(answer: () => Response | Promise<Response>) {
  const asked: { method: string; path: string; body: unknown }[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://server/base/',
    token: '',
    fetch: async (input: RequestInfo | URL, init?: RequestInit) => {
      const request = new Request(input, init);
      const { pathname, search } = new URL(request.url);
      const text = await request.text();
      asked.push({
        method: request.method,
        // JupyterLab's requests end with the time, against caches.
        path: pathname + search.replace(/[?&]\d+$/, ''),
        body: text ? JSON.parse(text) : null
      });
      return answer();
    }
  });
  return { client: new PipelinesClient(settings), asked };
}

function json(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status });
}

const CONTENT = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] };

it('asks below the base URL, with encoded names and the notebook', async () => {
  const part = { log: 'text', start: 7, end: 11 };
  const { client, asked } = serverThat(() => json(200, part));
  expect(await client.stepLog('a b/ü.ipynb', 'run/1', 'train', 7, 100)).toEqual(part);
  expect(asked[0]).toMatchObject({
    method: 'GET',
    path: '/base/pipelines-as-experiments/runs/run%2F1/steps/train/log?path=a+b%2F%C3%BC.ipynb&start=7&last_bytes=100'
  });
});

it('starts a run with the unsaved document', async () => {
  const { client, asked } = serverThat(() => json(202, { run_id: 'r1' }));
  const run = { path: 'n.ipynb', content: CONTENT, parameters: { rows: 3 }, steps: ['train'] };
  expect(await client.start(run)).toBe('r1');
  expect(asked[0]).toMatchObject({ method: 'POST', body: run });
});

it('hands the server’s error on', async () => {
  const error = { code: 'unknown_step', message: 'No step `x`.', details: { steps: ['a'] } };
  const { client } = serverThat(() => json(400, { error, message: error.message, reason: null }));
  const failure = await client.cancel('n.ipynb', 'r1').catch(error => error);
  expect(failure).toBeInstanceOf(ResponseError);
  expect(failure).toMatchObject({ status: 400, error, message: error.message });
});

it('knows a server without the extension from one that lacks a run', async () => {
  const lacksExtension = serverThat(() => json(404, { message: 'Not Found', reason: null })).client;
  await expect(lacksExtension.runs('n.ipynb')).rejects.toMatchObject({ reason: 'no-extension' });
  const error = { code: 'unknown_run', message: 'No run.', details: {} };
  const lacksRun = serverThat(() => json(404, { error })).client;
  await expect(lacksRun.run('n.ipynb', 'x')).rejects.toBeInstanceOf(ResponseError);
});

it('tells when nobody answers', async () => {
  const { client } = serverThat(() => Promise.reject(new TypeError('Failed to fetch')));
  const failure = await client.runs('n.ipynb').catch(error => error);
  expect(failure).toBeInstanceOf(UnavailableError);
  expect(failure.reason).toBe('unreachable');
});

it('has a message even for an answer that is no JSON', async () => {
  const { client } = serverThat(() => new Response('<html>', { status: 502, statusText: 'Bad' }));
  await expect(client.runs('n.ipynb')).rejects.toThrow('502 Bad');
});
