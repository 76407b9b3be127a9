/** What is tried on the cluster, in order. Each step is a claim; its function throws when the claim is wrong. */
import { fileURLToPath } from 'node:url'
import { checkEdges } from './edges.ts'
import { chart, components, type Installation } from './installation.ts'
import { startLoad, type LoadResult } from './load.ts'
import { run } from './command.ts'
import { runDemo } from './demo.ts'
import { upgradeOlder } from './older-version.ts'
import { until } from './until.ts'

/** What a step has to say beside that it held, and the load that ran meanwhile. */
export interface Finding {
  detail: string
  load?: LoadResult
}

export interface Step {
  claim: string
  run(): Promise<Finding>
}

/** Thrown by a step that cannot be tried here. */
export class Skipped extends Error {}

const loadRate = 20

export interface Options {
  /** The image, with its tag. */
  image: string
  tag: string
  /** Tag of the image of a version that has not all migrations of this one. */
  olderTag: string | undefined
  /** A command that runs others where Services can be reached. */
  outside: string | undefined
}

/** All steps on one installation, which exists from the first of them to the last. */
export function steps(installation: Installation, { image, tag, olderTag, outside }: Options): Step[] {
  const underLoad = async (act: () => Promise<string>, judge: (result: LoadResult) => void): Promise<Finding> => {
    const load = await startLoad(installation, image, loadRate)
    const detail = await act()
    const result = await load.finish()
    judge(result)
    const numbers = `${result.acknowledged} tasks, ${result.failures.length} failed requests, ${result.lost.length} lost`
    return { detail: `${detail}; ${numbers}`, load: result }
  }
  return [
    {
      claim: 'from `helm install` to the first finished task it takes at most 90 s',
      run: async () => {
        const startedAt = performance.now()
        await installation.makeNamespace()
        await installation.install()
        await installation.helm(['test', installation.release, '--filter', `name=${installation.release}-test-task`])
        const seconds = (performance.now() - startedAt) / 1000
        if (seconds > 90) throw new Error(`it took ${seconds.toFixed(0)} s`)
        return { detail: `${seconds.toFixed(0)} s, in a namespace that admits only restricted pods` }
      },
    },
    {
      claim: '`helm test` creates a task, sees it succeed, and is refused where the access matrix says so',
      run: async () => {
        const output = await installation.helm(['test', installation.release])
        return { detail: `${output.match(/Phase: +Succeeded/g)?.length} pods succeeded` }
      },
    },
    {
      claim: 'NetworkPolicies leave exactly the edges open that the access matrix has',
      run: () => checkEdges(installation, image),
    },
    {
      claim: 'the demo proves from outside what became of its webhooks',
      run: async () => {
        if (outside === undefined) throw new Skipped('--outside says how')
        return await runDemo(installation, outside)
      },
    },
    {
      claim: 'an upgrade with changed values and its rollback fail no request',
      run: () =>
        underLoad(async () => {
          await installation.upgrade(['logLevel=debug'])
          await installation.rollback()
          await installation.settle()
          return 'every pod replaced twice'
        }, noFailure),
    },
    {
      claim: 'a canary that never becomes ready is taken back within two minutes, without a failed request',
      run: () => underLoad(() => takeBackCanary(installation), noFailure),
    },
    {
      claim: 'a version from before the last migration is brought to this one by a canary, and back, and loses nothing',
      run: async () => {
        if (olderTag === undefined) throw new Skipped('--older names none')
        // That no request fails either is not for us to say of another version's processes.
        return await upgradeOlder(installation, { older: olderTag, newer: tag, full: image }, nothingLost)
      },
    },
    {
      claim: 'a schema that a later version has brought further serves this version too',
      run: () =>
        underLoad(async () => {
          await applyLaterMigration(installation, true)
          for (const component of ['tasks', 'accounts', 'notifications'])
            await installation.kubectl(['rollout', 'restart', `deployment/${installation.release}-${component}`])
          await installation.settle()
          await applyLaterMigration(installation, false)
          return 'tasks, accounts and notifications started on it'
        }, noFailure),
    },
    {
      claim: 'certificates are replaced without a failed request',
      run: () => underLoad(() => replaceCertificates(installation), noFailure),
    },
    {
      claim: 'killing each pod in turn, the database too, loses nothing and finishes nothing twice',
      run: () => underLoad(() => killEachPod(installation), nothingLost),
    },
    {
      claim: 'draining a node loses nothing and finishes nothing twice',
      run: async () => {
        const node = await drainableNode(installation)
        return await underLoad(() => drain(installation, node), nothingLost)
      },
    },
    {
      claim: 'the autoscaler adds pods under load and takes them away after',
      run: () => scaleUpAndDown(installation, image),
    },
    {
      claim: 'the API server accepts every object of the mesh profile',
      run: () => validateMeshProfile(installation),
    },
    {
      claim: 'uninstalling leaves nothing but the Secrets and the volume that the notes name',
      run: () => uninstall(installation),
    },
  ]
}

function noFailure(result: LoadResult): void {
  nothingLost(result)
  const [first] = result.failures
  if (first) throw new Error(`${result.failures.length} requests failed, the first at ${first.time}: ${first.error}`)
}

function nothingLost({ acknowledged, lost, doubled, repeated }: LoadResult): void {
  if (acknowledged === 0) throw new Error('no task was acknowledged')
  if (lost.length > 0) throw new Error(`${lost.length} of ${acknowledged} tasks did not succeed: ${lost[0]}`)
  if (doubled.length + repeated > 0)
    throw new Error(`${doubled.length} tasks finished twice, ${repeated} created twice: ${doubled[0]}`)
}

async function takeBackCanary({ release, namespace }: Installation): Promise<string> {
  const program = fileURLToPath(new URL('release.ts', import.meta.url))
  const args = [program, '--tag', 'no-such-version', '--release', release, '--namespace', namespace]
  const said = await run(process.execPath, args).then(
    () => 'it was taken for good',
    (error: Error) => error.message,
  )
  const seconds = Number(/as before, (\d+) s after/.exec(said)?.[1])
  if (Number.isNaN(seconds)) throw new Error(said)
  if (seconds > 120) throw new Error(`it took ${seconds} s to take it back`)
  return `everything as before ${seconds} s after it was found bad`
}

/** As if a later version had run: its last migration is known to the database and not to this version. */
async function applyLaterMigration(installation: Installation, isApplied: boolean): Promise<void> {
  const change = isApplied
    ? `insert into tasks.migrations values ('9999-later', now()::text)`
    : `delete from tasks.migrations where name = '9999-later'`
  await installation.sql(change)
}

async function replaceCertificates(installation: Installation): Promise<string> {
  const { release } = installation
  const secret = `${release}-certificates-tasks`
  const before = await installation.kubectl(['get', 'secret', secret, '--output', 'jsonpath={.data.certificate\\.pem}'])
  await installation.kubectl(['delete', 'secret', secret])
  await installation.kubectl(['create', 'job', 'replace-certificates', `--from=cronjob/${release}-renewal`])
  await installation.kubectl(['wait', '--for=condition=complete', 'job/replace-certificates', '--timeout', '90s'])
  await installation.kubectl(['delete', 'job', 'replace-certificates'])
  const after = await installation.kubectl(['get', 'secret', secret, '--output', 'jsonpath={.data.certificate\\.pem}'])
  if (before === after) throw new Error('the certificate is the same as before')
  for (const { metadata } of await installation.pods('tasks')) {
    const logs = () => installation.kubectl(['logs', metadata.name])
    await until(async () => (await logs()).includes('certificates renewed'), `${metadata.name} reads it`, 180_000)
  }
  return 'every tasks pod took the new certificate while it ran'
}

async function killEachPod(installation: Installation): Promise<string> {
  const killed: string[] = []
  for (const component of [...components, 'postgres']) {
    for (const { metadata } of await installation.pods(component)) {
      await installation.kubectl(['delete', 'pod', metadata.name, '--grace-period', '0', '--force'])
      killed.push(metadata.name)
      await installation.settle()
    }
  }
  return `${killed.length} pods killed without grace`
}

async function drainableNode(installation: Installation): Promise<string> {
  const [pod] = await installation.pods('gateway')
  const nodes = (await run('kubectl', ['get', 'nodes', '--output', 'name'])).trim().split('\n')
  if (nodes.length < 2) throw new Skipped('the cluster has one node')
  return pod!.spec.nodeName!
}

async function drain(installation: Installation, node: string): Promise<string> {
  const selector = `--pod-selector=app.kubernetes.io/instance=${installation.release}`
  try {
    await run('kubectl', ['drain', node, selector, '--delete-emptydir-data', '--timeout', '240s'])
    await installation.settle()
  } finally {
    await run('kubectl', ['uncordon', node])
  }
  return `${node} drained`
}

async function scaleUpAndDown(installation: Installation, image: string): Promise<Finding> {
  const least = await installation.desiredReplicas('gateway')
  const load = await startLoad(installation, image, 400)
  let most = least
  await until(
    async () => (most = await installation.desiredReplicas('gateway')) > least,
    'there are more gateway pods under load',
    180_000,
  )
  const result = await load.finish()
  nothingLost(result)
  await until(
    async () => (await installation.desiredReplicas('gateway')) === least,
    'there are as few as before',
    240_000,
  )
  return { detail: `gateway ${least} → ${most} → ${least}, ${result.acknowledged} tasks`, load: result }
}

async function validateMeshProfile(installation: Installation): Promise<Finding> {
  const crds = await run('kubectl', ['get', 'crd', '--output', 'name'])
  for (const needed of ['servers.policy.linkerd.io', 'grpcroutes.gateway.networking.k8s.io'])
    if (!crds.includes(needed)) throw new Skipped(`the cluster does not have the CRD ${needed}`)
  const objects = await installation.helm(['get', 'manifest', installation.release])
  const mesh = await installation.helm([
    'template',
    installation.release,
    chart,
    '--validate',
    '--is-upgrade',
    '--set',
    'mesh.enabled=true',
    '--no-hooks',
  ])
  const output = await installation.kubectl(['apply', '--dry-run=server', '--filename', '-'], { input: mesh })
  const count = output.trim().split('\n').length
  if (count <= objects.match(/^kind:/gm)!.length) throw new Error(`only ${count} objects were rendered`)
  return { detail: `${count} objects` }
}

async function uninstall(installation: Installation): Promise<Finding> {
  await installation.helm(['uninstall', installation.release, '--wait', '--timeout', '3m'])
  const kinds = 'all,configmap,secret,serviceaccount,role,rolebinding,networkpolicy,ingress,pdb,pvc'
  const named = (output: string) =>
    output.split('\n').filter((name) => name !== '' && !/kube-root-ca|serviceaccount\/default$/.test(name))
  const left = async () => named(await installation.kubectl(['get', kinds, '--output', 'name']))
  await until(
    async () => (await left()).every((name) => /^(secret|persistentvolumeclaim)\//.test(name)),
    'only Secrets and the volume are left',
    60_000,
  )
  const selector = `app.kubernetes.io/instance=${installation.release}`
  await installation.kubectl(['delete', 'secret,pvc,job', '--selector', selector])
  const rest = await left()
  if (rest.length > 0) throw new Error(`the command of the notes leaves ${rest.join(', ')}`)
  return { detail: 'and the command of the notes removes these too' }
}
