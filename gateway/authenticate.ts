/** `Authorization: Bearer …` → whom it stands for. */
import { status } from '@grpc/grpc-js'
import { isToken } from './oidc.ts'
import type { Principal, Verify } from './principal.ts'
import { refusal } from './refusal.ts'

export type Authenticate = (authorization: string | undefined) => Principal | Promise<Principal>

// A token with many groups in it is long; it still has to fit into the header limit.
const credentialCharsMax = 8_192

/** Verifies API keys by `keys`, and tokens of an identity provider by `tokens` where there is one. */
export function authenticator(keys: Verify, tokens: Verify | undefined): Authenticate {
  return (authorization) => {
    const credential = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1]
    if (credential === undefined || credential.length > credentialCharsMax) {
      throw refusal(status.UNAUTHENTICATED, 'API_KEY_MISSING', 'an API key is needed: Authorization: Bearer KEY', {
        headers: { 'www-authenticate': 'Bearer realm="flowforge"' },
      })
    }
    return tokens !== undefined && isToken(credential) ? tokens(credential) : keys(credential)
  }
}
