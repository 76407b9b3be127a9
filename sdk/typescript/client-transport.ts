import type { Call } from './client-calls.ts'
import type { JsonObject } from './client-resources.ts'

/** What a caller may say of one call. */
export interface CallOptions {
  /** Gives the call up when aborted. */
  signal?: AbortSignal
  /** How long one attempt at the call may take; 30 s if absent. */
  timeoutMs?: number
}

/**
 * Carries a request message to FlowForge and brings the answer, both in proto3 JSON, once and without repetition.
 *
 * Everything it throws is a FlowForgeError, except the reason of a signal that the caller aborted.
 */
export interface Transport {
  unary(call: Call, request: JsonObject, options: CallOptions): Promise<JsonObject>
  /** Ends when the server ends the stream. */
  stream(call: Call, request: JsonObject, options: CallOptions): AsyncIterable<JsonObject>
  close(): void
}
