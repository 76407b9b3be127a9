/** The three calls of the Kubernetes API that the jobs make, as the ServiceAccount of their pod. */
import { readFileSync } from 'node:fs'

const folder = '/var/run/secrets/kubernetes.io/serviceaccount'

/** A Secret's contents by key. */
export type SecretData = Record<string, string>

/** The Secrets of the pod's own namespace; every other answer than the expected ones is thrown with the API's message. */
export interface Secrets {
  read(name: string): Promise<SecretData | undefined>
  /** Makes it or replaces its contents; labels are set when it is made. */
  write(name: string, data: SecretData, labels: Record<string, string>): Promise<void>
}

/** Needs NODE_EXTRA_CA_CERTS to name the cluster's authority, which Node.js reads before any of our code runs. */
export function openSecrets(server: string): Secrets {
  const token = readFileSync(`${folder}/token`, 'utf8')
  const namespace = readFileSync(`${folder}/namespace`, 'utf8')
  const secrets = `${server}/api/v1/namespaces/${namespace}/secrets`

  async function call(method: string, url: string, body?: object): Promise<{ code: number; object: ApiObject }> {
    const response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    })
    const object = (await response.json()) as ApiObject
    if (response.ok || response.status === 404) return { code: response.status, object }
    throw new Error(`${method} ${new URL(url).pathname}: ${object.message ?? response.status}`)
  }

  async function get(name: string): Promise<ApiObject | undefined> {
    const { code, object } = await call('GET', `${secrets}/${name}`)
    return code === 404 ? undefined : object
  }

  return {
    read: async (name) => {
      const found = await get(name)
      return found && map(found.data ?? {}, (value) => Buffer.from(value, 'base64').toString())
    },
    write: async (name, text, labels) => {
      const data = map(text, (value) => Buffer.from(value).toString('base64'))
      const found = await get(name)
      if (found) await call('PUT', `${secrets}/${name}`, { ...found, data })
      else {
        const type = 'username' in text ? 'kubernetes.io/basic-auth' : 'Opaque'
        await call('POST', secrets, { apiVersion: 'v1', kind: 'Secret', type, metadata: { name, labels }, data })
      }
    },
  }
}

interface ApiObject {
  message?: string
  data?: Record<string, string>
}

function map(record: Record<string, string>, change: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}
