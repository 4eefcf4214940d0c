/** One request to our part of the server, and the errors that it can end with. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { NAMESPACE, type ErrorDetails } from './tokens';

/** The server answered with an error document. */
export class ResponseError extends Error {
  constructor(
    readonly status: number,
    readonly error: ErrorDetails
  ) {
    super(error.message);
    this.name = 'ResponseError';
  }
}

/** The server does not answer, or has no extension of ours that could. */
export class UnavailableError extends Error {
  constructor(
    readonly reason: 'unreachable' | 'no-extension',
    message: string
  ) {
    super(message);
    this.name = 'UnavailableError';
  }
}

/**
 * Ask the server.
 *
 * @param path - below our prefix, its parts encoded
 * @throws UnavailableError when there is nobody to answer
 * @throws ResponseError when the answer is an error
 */
export async function request<T>(
  settings: ServerConnection.ISettings,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH',
  path: string,
  body?: unknown
): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'Content-Type': 'application/json' };
  }
  const url = URLExt.join(settings.baseUrl, NAMESPACE, path);
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(url, init, settings);
  } catch (error) {
    throw new UnavailableError('unreachable', String(error));
  }
  const answer = await readJSON(response);
  if (response.ok) {
    return answer as T;
  }
  const error = (answer as { error?: ErrorDetails } | null)?.error;
  if (error && typeof error === 'object' && typeof error.message === 'string') {
    throw new ResponseError(response.status, error);
  }
  if (response.status === 404) {
    // Ours are error documents: this 404 is the server's own.
    throw new UnavailableError('no-extension', response.statusText);
  }
  throw new ResponseError(response.status, {
    code: `http_${response.status}`,
    message: `${response.status} ${response.statusText}`.trim(),
    details: {}
  });
}

async function readJSON(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return null;
  }
}
