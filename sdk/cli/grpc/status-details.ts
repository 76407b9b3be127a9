import { BadRequest, ErrorInfo, RetryInfo } from '@flowforge/proto/google/rpc/error_details.ts'
import { Status } from '@flowforge/proto/google/rpc/status.ts'
import type { ServiceError } from '@grpc/grpc-js'
import { errorOfStatus, type FlowForgeError } from '@flowforge/sdk/client-error'
import type { JsonObject } from '@flowforge/sdk/client-resources'

/** The error that a gRPC call ended with, its details decoded. */
export function errorOfCall(error: ServiceError): FlowForgeError {
  const encoded = error.metadata?.get('grpc-status-details-bin')[0]
  const details = Buffer.isBuffer(encoded) ? Status.decode(encoded).details : []
  return errorOfStatus(
    { code: error.code, message: error.details, details: details.map((any) => statusDetail(any.typeUrl, any.value)) },
    { cause: error },
  )
}

/** A detail of a google.rpc.Status in proto3 JSON; of a type that is not known here, its bytes in base64. */
export function statusDetail(typeUrl: string, value: Uint8Array): JsonObject {
  const type = { '@type': typeUrl }
  switch (typeUrl.slice(typeUrl.lastIndexOf('/') + 1)) {
    case 'google.rpc.ErrorInfo':
      return { ...type, ...ErrorInfo.decode(value) }
    case 'google.rpc.BadRequest':
      return {
        ...type,
        fieldViolations: BadRequest.decode(value).fieldViolations.map(({ field, description }) => ({
          field,
          description,
        })),
      }
    case 'google.rpc.RetryInfo': {
      const { seconds = 0n, nanos = 0 } = RetryInfo.decode(value).retryDelay ?? {}
      return { ...type, retryDelay: `${Number(seconds) + nanos / 1e9}s` }
    }
    default:
      return { ...type, value: Buffer.from(value).toString('base64') }
  }
}
