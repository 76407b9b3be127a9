import type { ServiceError } from '@grpc/grpc-js'

const unsent = new WeakSet<ServiceError>()

/** Marks the error of an attempt that never left this process, for want of a connection. */
export function markUnsent(error: ServiceError): ServiceError {
  unsent.add(error)
  return error
}

/** Whether nothing was sent: making the call again then repeats nothing, whatever the RPC does. */
export function isUnsent(error: ServiceError): boolean {
  return unsent.has(error)
}
