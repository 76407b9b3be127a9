import { join, relative } from 'node:path'
import { identityOf } from '@flowforge/runtime/identity'
import { callerDirectory, namespace, trustDomain } from './config.ts'
import type { System } from './system.ts'

/** What `npm start` prints once everything is ready: where things are, and two lines to try at once. */
export function screen(system: System, seconds: number): string {
  const { folder } = system
  return `
FlowForge runs, ready after ${seconds.toFixed(1)} s.

  Gateway    ${system.url}
  API key    ${shown(folder.apiKey)}
  Logs       ${shown(folder.log)}

Create a task over HTTP:

  ${curlLine(system)}

Create one straight at the tasks service, with the operator's client certificate:

  ${grpcurlLine(system)}

Stop with Ctrl-C.
`
}

/** The same for programmes: one line of JSON. */
export function jsonScreen(system: System): string {
  const { url, addresses, folder } = system
  const pids = system.pids()
  const commands = { curl: curlLine(system), grpcurl: grpcurlLine(system) }
  return `${JSON.stringify({ url, apiKeyFile: folder.apiKey, addresses, certificates: folder.certificates, log: folder.log, pids, commands })}\n`
}

function curlLine({ url, folder }: System): string {
  const key = `-H "Authorization: Bearer $(cat ${shown(folder.apiKey)})"`
  return `curl -sS ${url}/v1/projects/default/tasks ${key} -H 'Content-Type: application/json' -d '{"type":"echo","payload":{"hello":"world"}}'`
}

function grpcurlLine({ addresses, folder }: System): string {
  const file = (name: string) => shown(join(folder.certificates, 'operator', name))
  const tls = `-cacert ${file('ca.pem')} -cert ${file('certificate.pem')} -key ${file('key.pem')}`
  const request = '{"parent":"projects/default","task":{"type":"echo","payload":{"hello":"world"}}}'
  const authority = identityOf('tasks', { namespace, trustDomain })
  return `grpcurl ${tls} -authority ${authority} -d '${request}' ${addresses.tasks} flowforge.tasks.v1.TaskService/CreateTask`
}

/** A path as a shell takes it: short when it lies below the caller's directory. */
function shown(path: string): string {
  const short = relative(callerDirectory, path)
  const chosen = short === '' || short.startsWith('..') ? path : short
  return /^[\w./~-]+$/.test(chosen) ? chosen : `'${chosen.replaceAll("'", `'\\''`)}'`
}
