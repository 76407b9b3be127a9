/** FlowForge for TypeScript: submit tasks with `Client`, run them with `Worker`. */
export { Client, type BatchResult, type ClientOptions, type EtagOptions } from './client.ts'
export { FlowForgeError, type FlowForgeErrorOptions, type StatusName } from './client-error.ts'
export { grpcClient, type GrpcClient } from './grpc-client.ts'
export { Listing, type ListQuery, type Page } from './client-listing.ts'
export * from './client-resources.ts'
export type { CallOptions } from './client-transport.ts'
export type { ConnectionOptions, Tls } from './connection.ts'
export {
  AttemptAbortedError,
  PermanentError,
  RetryLaterError,
  SnoozeError,
  type AbortReason,
  type ErrorDetails,
} from './errors.ts'
export type { Log } from './log.ts'
export type { AttemptEnd, Handler, HandlerContext, HandlerResult } from './run-attempt.ts'
export { Worker, type WorkerOptions } from './worker.ts'
export type { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
