import { status } from '@grpc/grpc-js'
import { refusal } from './refusal.ts'
import type { RpcError } from './transcoder/transcoder.ts'

/** Whoever a request acts for. */
export interface Principal {
  /** `projects/{project}/apiKeys/{api_key}`, or `oidc:{subject}`. */
  readonly name: string
  /** The projects that it may act in, `projects/{project}`; at least one. */
  readonly projects: readonly [string, ...string[]]
  /** `viewer`, `submitter`, `worker`, `admin`. */
  readonly roles: ReadonlySet<string>
}

/** What `Authorization: Bearer` brings → whom it stands for; throws an UNAUTHENTICATED RpcError if it stands for nobody. */
export type Verify = (credential: string) => Principal | Promise<Principal>

/** The refusal of a credential that came but does not hold. */
export function invalidCredential(reason: string, message: string): RpcError {
  return refusal(status.UNAUTHENTICATED, reason, message, {
    headers: { 'www-authenticate': 'Bearer realm="flowforge", error="invalid_token"' },
  })
}
