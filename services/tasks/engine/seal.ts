/**
 * Payload encryption. What a task carries is sealed on its way into the database and opened on its way out, so that
 * neither the database nor its backups hold it in clear. docs/encryption.md says how keys are given and rotated.
 *
 *     sealed value     00 01 | length of key id | key id | wrapped data key | nonce (12) | ciphertext | tag (16)
 *     wrapped data key nonce (12) | encrypted data key (32) | tag (16)
 *
 * AES-256-GCM throughout. Each process makes a data key an hour and wraps it with the first master key: a master key
 * encrypts a few values a day and not billions, which random nonces would not bear, and a value costs one encryption.
 * No encoded google.protobuf.Struct begins with 00, so values from before encryption was switched on read as they are.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { Code } from '@flowforge/proto/google/rpc/code.ts'
import { failedPrecondition, StatusError } from '@flowforge/runtime/status'
import type { TaskKey } from './read.ts'

/** A field of a task, or of a schedule, that is sealed. A value opens only as the same field of the same task. */
export type SealedField = 'payload' | 'progress' | 'result' | 'template'

export interface MasterKey {
  /** 1 to 32 characters of a-z A-Z 0-9 . _ - */
  id: string
  /** 32 bytes. */
  key: Buffer
}

export interface PayloadKeys {
  /** Seals what is written; nothing is sealed if undefined. */
  sealing: MasterKey | undefined
  /** Open what is read. */
  all: MasterKey[]
}

interface DataKey {
  key: Buffer
  /** All that comes before the nonce. */
  header: Buffer
  madeMs: number
}

const cipher = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16
const keyBytes = 32
const wrappedBytes = nonceBytes + keyBytes + tagBytes
const dataKeyMs = 3_600_000
const openedMax = 10_000
const digestBytes = 32

export class Sealer {
  readonly #keys: Map<string, MasterKey>
  readonly #sealing: MasterKey | undefined
  readonly #opened = new Map<string, Buffer>()
  #dataKey: DataKey | undefined

  constructor({ sealing, all }: PayloadKeys) {
    this.#sealing = sealing
    this.#keys = new Map(all.map((key) => [key.id, key]))
  }

  /** The value as the database may have it. */
  seal<T extends Uint8Array | null>(field: SealedField, task: TaskKey, value: T): T | Buffer {
    if (value === null || !this.#sealing) return value
    const { key, header } = this.#currentDataKey(this.#sealing)
    return Buffer.concat([header, encrypt(key, value, aadOf(field, task))])
  }

  /**
   * The value as it was sealed, or as it is if it never was.
   *
   * Refused as PAYLOAD_KEY_MISSING if its key is not among ours, and as PAYLOAD_DAMAGED if it is not what was sealed.
   */
  open<T extends Uint8Array | null | undefined>(field: SealedField, task: TaskKey, value: T): T | Buffer {
    if (!value || value[0] !== 0) return value
    const sealed = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    const what = `the ${field} of projects/${task.project}/${field === 'template' ? 'schedules' : 'tasks'}/${task.id}`
    const wrappedAt = 3 + (sealed[2] ?? 0)
    const bodyAt = wrappedAt + wrappedBytes
    if (sealed[1] !== 1 || sealed.length < bodyAt + nonceBytes + tagBytes) throw damaged(what)
    const master = this.#master(sealed.toString('latin1', 3, wrappedAt), what)
    try {
      return decrypt(
        this.#unwrap(master, sealed.subarray(wrappedAt, bodyAt)),
        sealed.subarray(bodyAt),
        aadOf(field, task),
      )
    } catch (error) {
      throw damaged(what, error)
    }
  }

  /** A request's digest as the database may have it: without the key nobody can try out what was asked for. */
  fingerprint(digest: Buffer): Buffer {
    return this.#sealing ? keyedDigest(this.#sealing, digest) : digest
  }

  /** True if `stored` is the fingerprint of the digest, under whatever key it was made. */
  isFingerprintOf(stored: Buffer, digest: Buffer): boolean {
    if (stored.length === digestBytes) return stored.equals(digest)
    const master = this.#master(stored.toString('latin1', 1, 1 + stored[0]!), 'the request')
    return stored.equals(keyedDigest(master, digest))
  }

  #master(id: string, what: string): MasterKey {
    const master = this.#keys.get(id)
    if (master) return master
    throw failedPrecondition('PAYLOAD_KEY_MISSING', `${what} was encrypted with key "${id}", which is not configured`, {
      metadata: { key: id },
    })
  }

  #currentDataKey(sealing: MasterKey): DataKey {
    if (this.#dataKey && performance.now() - this.#dataKey.madeMs < dataKeyMs) return this.#dataKey
    const key = randomBytes(keyBytes)
    const header = Buffer.concat([
      Buffer.from([0, 1, sealing.id.length]),
      Buffer.from(sealing.id, 'latin1'),
      encrypt(sealing.key, key, wrapAad(sealing)),
    ])
    this.#dataKey = { key, header, madeMs: performance.now() }
    return this.#dataKey
  }

  #unwrap(master: MasterKey, wrapped: Buffer): Buffer {
    const name = wrapped.toString('latin1')
    const known = this.#opened.get(name)
    if (known) return known
    const key = decrypt(master.key, wrapped, wrapAad(master))
    if (this.#opened.size >= openedMax) this.#opened.clear()
    this.#opened.set(name, key)
    return key
  }
}

/** Seals nothing. */
export const unsealed = new Sealer({ sealing: undefined, all: [] })

/** True for what `open` throws: the same value cannot be read here by trying again. */
export function isUnreadable(error: unknown): error is StatusError {
  return error instanceof StatusError && ['PAYLOAD_KEY_MISSING', 'PAYLOAD_DAMAGED'].includes(error.reason)
}

function damaged(what: string, cause?: unknown): StatusError {
  return new StatusError(Code.DATA_LOSS, 'PAYLOAD_DAMAGED', `${what} is not what was encrypted for it`, { cause })
}

function aadOf(field: SealedField, { project, id }: TaskKey): Buffer {
  return Buffer.from(`${project}/${id}/${field}`)
}

function wrapAad(master: MasterKey): Buffer {
  return Buffer.from(`data key by ${master.id}`)
}

function keyedDigest(master: MasterKey, digest: Buffer): Buffer {
  const key = Buffer.from(hkdfSync('sha256', master.key, '', 'flowforge request fingerprint', keyBytes))
  return Buffer.concat([
    Buffer.from([master.id.length]),
    Buffer.from(master.id, 'latin1'),
    createHmac('sha256', key).update(digest).digest(),
  ])
}

function encrypt(key: Buffer, plain: Uint8Array, aad: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes)
  const encryption = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes }).setAAD(aad)
  return Buffer.concat([nonce, encryption.update(plain), encryption.final(), encryption.getAuthTag()])
}

function decrypt(key: Buffer, sealed: Buffer, aad: Buffer): Buffer {
  const decryption = createDecipheriv(cipher, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decryption.setAAD(aad).setAuthTag(sealed.subarray(-tagBytes))
  return Buffer.concat([decryption.update(sealed.subarray(nonceBytes, -tagBytes)), decryption.final()])
}
