/** Tokens of an OpenID Connect provider: signature, issuer and audience checked by `jose`, roles and projects from claims. */
import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { status } from '@grpc/grpc-js'
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import { invalidCredential, type Principal, type Verify } from './principal.ts'
import { refusal } from './refusal.ts'

export interface OidcOptions {
  /** Must be the token's `iss`. */
  readonly issuer: string
  /** Must be among the token's `aud`. */
  readonly audience: string
  /** Where the provider's keys are; undefined asks the issuer's `/.well-known/openid-configuration`. */
  readonly jwksUrl: string | undefined
  /** Where in the token the roles are, with dots between levels: `realm_access.roles`. */
  readonly rolesClaim: string
  /** Roles of the provider → ours; undefined takes those that are called like ours. */
  readonly roleNames: ReadonlyMap<string, string> | undefined
  /** Where in the token the projects are: `default`, `projects/default`, or a list of such. */
  readonly projectsClaim: string
}

// Only signatures that are verified with a public key: a shared secret would let whoever verifies also sign.
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const clockToleranceSeconds = 30
const tokensMax = 10_000
// Verifying a signature costs more than a small request; a token that was good a moment ago is not verified again.
const rememberMs = 5_000
const discoveryMsMax = 5_000

/** Whether a credential has the form of a signed token, which no API key has. */
export function isToken(credential: string): boolean {
  return /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(credential)
}

/** Verifies tokens of one provider. Whose roles or projects are none of ours is nobody here: UNAUTHENTICATED. */
export function oidc(options: OidcOptions): Verify {
  // Its clock of 1 ms would be a timer, and a process that wakes up for it, with every few requests.
  const known = new LRUCache<string, { principal: Principal; expiresMs: number }>({
    max: tokensMax,
    ttl: rememberMs,
    ttlResolution: 0,
  })
  const keys = providerKeys(options)
  return async (token) => {
    const digest = hash('sha256', token, 'base64')
    const entry = known.get(digest)
    if (entry !== undefined && entry.expiresMs > Date.now()) return entry.principal
    const payload = await verified(token, keys, options)
    const principal = principalOf(payload, options)
    known.set(digest, { principal, expiresMs: payload.exp! * 1000 })
    return principal
  }
}

async function verified(token: string, keys: JWTVerifyGetKey, { issuer, audience }: OidcOptions): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms,
      clockTolerance: clockToleranceSeconds,
      requiredClaims: ['exp', 'sub'],
    })
    return payload
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw invalidCredential('TOKEN_EXPIRED', 'the token has expired')
    if (error instanceof errors.JOSEError && !isOfProvider(error)) {
      throw invalidCredential('TOKEN_INVALID', 'the token is not valid here')
    }
    throw refusal(status.UNAVAILABLE, 'IDENTITY_PROVIDER', 'tokens cannot be verified at the moment; try again', {
      cause: error,
    })
  }
}

/** Whether not the token is at fault but the provider, whose keys cannot be had. */
function isOfProvider(error: errors.JOSEError): boolean {
  return error instanceof errors.JWKSTimeout || error.code === 'ERR_JOSE_GENERIC'
}

/** The provider's keys, fetched when they are first needed; a place that could not be found is looked for again. */
function providerKeys({ issuer, jwksUrl }: OidcOptions): JWTVerifyGetKey {
  let found: Promise<JWTVerifyGetKey> | undefined
  return async (header, token) => {
    found ??= (jwksUrl === undefined ? discover(issuer) : Promise.resolve(jwksUrl)).then((url) =>
      createRemoteJWKSet(new URL(url)),
    )
    const keys = await found.catch((error: unknown) => {
      found = undefined
      throw error
    })
    return keys(header, token)
  }
}

async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const response = await fetch(url, { signal: AbortSignal.timeout(discoveryMsMax) })
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  const { jwks_uri: found } = (await response.json()) as { jwks_uri?: string }
  if (found === undefined) throw new Error(`${url} names no jwks_uri`)
  return found
}

const ours = new Set(['viewer', 'submitter', 'worker', 'admin'])

function principalOf(payload: JWTPayload, { rolesClaim, roleNames, projectsClaim }: OidcOptions): Principal {
  const words = claim(payload, rolesClaim).map((word) => (roleNames === undefined ? word : (roleNames.get(word) ?? '')))
  const roles = new Set(words.filter((word) => ours.has(word)))
  const [first, ...rest] = claim(payload, projectsClaim)
    .map((name) => `projects/${name.replace(/^projects\//, '')}`)
    .filter((name) => /^projects\/[a-z0-9-]{1,63}$/.test(name))
  if (first === undefined)
    throw invalidCredential('TOKEN_WITHOUT_PROJECT', `the token names no project in ${projectsClaim}`)
  // A name goes into gRPC metadata, where only visible ASCII may stand.
  return { name: `oidc:${encodeURIComponent(payload.sub!)}`, projects: [first, ...rest], roles }
}

/** The words of a claim: a list of them, or one text with blanks between them as `scope` has it. */
function claim(payload: JWTPayload, path: string): string[] {
  // A claim's own name may hold dots, as those do that are URLs.
  const whole = payload[path]
  const value =
    whole ??
    path.split('.').reduce<unknown>((inside, key) => (inside as Record<string, unknown> | undefined)?.[key], payload)
  const words = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []
  return words.filter((word): word is string => typeof word === 'string' && word !== '')
}
