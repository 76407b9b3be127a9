/** Sends what an RPC answered: what was read with a validator, anything large compressed. */
import { addVary, entityTag, sendContent, sendData } from './send-content.ts'
import type { Answer, Exchange } from './transcoder/transcoder.ts'

/** Sends an answer in the form that its request asks for. */
export function sendAnswer(
  { request, response }: Exchange,
  { contentType, headers, data }: Answer,
): void | Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return sendData(request, response, 200, { ...headers, 'content-type': contentType }, data)
  }
  // Kept by nobody but the caller, and asked about each time: then an answer that is the same costs a 304.
  response.setHeader('cache-control', 'private, no-cache')
  addVary(response, 'Authorization')
  return sendContent(request, response, { ...headers, etag: entityTag(data), 'content-type': contentType }, data)
}
