/** Names of compiled objects: from the declaration alone, so that the same contract always gives the same objects. */
import { createHash } from 'node:crypto'

/** What comes after the component's name. Kubernetes allows 63 characters in all; the rest is the release's. */
export const suffixLengthMax = 40

/** `CreateTask` → `create-task`; `RevokeAPIKey` → `revoke-api-key`. */
export function kebab(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1-$2')
    .toLowerCase()
}

/** The text itself, or its beginning and a hash of the whole when it is too long. */
export function shortened(text: string, lengthMax: number = suffixLengthMax): string {
  if (text.length <= lengthMax) return text
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 6)
  return `${text.slice(0, lengthMax - 7).replace(/-+$/, '')}-${hash}`
}

/** A name for each RPC of one component: the method's, with the service's before it where two have the same method. */
export function methodNames(paths: Iterable<string>): Map<string, string> {
  const all = [...paths]
  const parts = all.map((path) => /^\/(?:.*\.)?(\w+)\/(\w+)$/.exec(path)!)
  return new Map(
    all.map((path, index) => {
      const [, service = '', method = ''] = parts[index]!
      const isAlone = parts.filter(([, , other]) => kebab(other!) === kebab(method)).length === 1
      return [path, isAlone ? kebab(method) : `${kebab(service)}-${kebab(method)}`]
    }),
  )
}
