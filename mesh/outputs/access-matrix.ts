/** Who may call what, for people: identity × RPC, with the rest of each RPC's policy beside it. */
import { served } from '../compile/component.ts'
import { amplifications } from '../graph.ts'
import { formatDuration } from '../policy/duration.ts'
import { components, type MethodPolicy, type Policies, type RatePolicy } from '../policy/policy.ts'

/** The page as Markdown. */
export function accessMatrix(policies: Policies): string {
  const parts = served(policies).map((one) => {
    const { component, port, methods, protocol } = one
    const limit = port.meshRate ? `, at most ${rate(port.meshRate)} at one instance` : ''
    const { consecutiveFailures, minPenaltyMs, maxPenaltyMs } = port.breaker
    return [
      `## ${component}`,
      '',
      `In a mesh its port is a \`${protocol}\` Server${limit}. Callers leave an instance alone after ${consecutiveFailures} failures in a row, for ${formatDuration(minPenaltyMs)} to ${formatDuration(maxPenaltyMs)}.`,
      '',
      `| RPC | ${components.join(' | ')} | roles | time | retries | group | objective |`,
      `| --- |${' :-: |'.repeat(components.length)} --- | --- | --- | --- | --- |`,
      ...methods.map(row),
      '',
    ].join('\n')
  })
  const worst = amplifications(policies)[0]
  return [
    '# Who may call what',
    '',
    'Compiled from the policy options of the contracts by `npm run generate`; edit those. A dot is a caller: everybody',
    'else gets `PERMISSION_DENIED`, in process and in a mesh alike, and an RPC that stands nowhere here is `NOT_FOUND`.',
    'Health and reflection are open to every identity of the installation. `ROLE_ADMIN` holds all roles.',
    'Times: `5s` is a call’s deadline, `idle 30s` the longest silence of a stream. Retries are attempts in all;',
    '`by ID` means only for requests with a `request_id`, and always by the process.',
    '',
    `One request becomes at most ${worst?.attempts ?? 1} attempts end to end (${worst?.path.join(' → ') ?? 'nothing is called'}).`,
    '',
    ...parts,
  ].join('\n')
}

function row({ path, callers, roles, timeoutMs, idleTimeoutMs, retry, concurrency, group, slo }: MethodPolicy): string {
  const [service = '', method = ''] = path.slice(1).split('/')
  const time = timeoutMs === undefined ? `idle ${formatDuration(idleTimeoutMs!)}` : formatDuration(timeoutMs)
  const attempts = retry ? `${retry.attempts}${retry.safeBy === 'request_id' ? ' by ID' : ''}` : ''
  const cells = [
    `\`${service.split('.').at(-1)}/${method}\``,
    ...components.map((component) => (callers.has(component) ? '●' : '')),
    [...roles].join(', '),
    time,
    attempts,
    `${group} (${concurrency})`,
    `${percent(slo.availability)}, ${percent(slo.latencyObjective)} in ${formatDuration(slo.latencyMs)}`,
  ]
  return `| ${cells.join(' | ')} |`
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(3))} %`
}

function rate({ requestsPerSecond, perIdentity }: RatePolicy): string {
  return `${requestsPerSecond} calls/s${perIdentity === undefined ? '' : ` and ${perIdentity} of one identity`}`
}
