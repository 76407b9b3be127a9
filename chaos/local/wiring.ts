import type { PlannedService } from '@flowforge/local/service-plan'
import type { Part } from '../fault.ts'
import { Link } from './link.ts'

/** The link that a part's calls to another take; each process has its own to each instance that it calls. */
export interface NamedLink {
  from: Part
  to: Part
  link: Link
}

const callees: Record<string, Part> = {
  FLOWFORGE_TASKS_ADDRESS: 'tasks',
  FLOWFORGE_ACCOUNTS_ADDRESS: 'accounts',
  FLOWFORGE_NOTIFICATIONS_ADDRESS: 'notifications',
}

/** The environment of a process whose every call goes through a link; `more` are the ports of further instances. */
export async function throughLinks(planned: PlannedService, more: Map<Part, number[]>, links: NamedLink[]) {
  const env = { ...planned.env }
  const from = planned.component as Part
  const through = async (to: Part, host: string, port: number): Promise<string> => {
    const link = await Link.to({ host, port })
    links.push({ from, to, link })
    return link.address
  }
  for (const [variable, to] of Object.entries(callees)) {
    if (to === from) continue
    const [host, port] = env[variable]!.split(':')
    const ports = [Number(port), ...(more.get(to) ?? [])]
    const addresses = await Promise.all(ports.map((one) => through(to, host!, one)))
    env[variable] = addresses.length === 1 ? addresses[0]! : `ipv4:${addresses.join()}`
  }
  if (env.FLOWFORGE_DATABASE_URL) {
    const url = new URL(env.FLOWFORGE_DATABASE_URL)
    url.host = await through('postgres', url.hostname, Number(url.port))
    env.FLOWFORGE_DATABASE_URL = url.href
  }
  return env
}
