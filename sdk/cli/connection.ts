import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Option, type Command } from 'commander'
import { Client } from '@flowforge/sdk/client'
import { UsageError } from './exit.ts'

/** The options of every command. */
export interface GlobalOptions {
  json?: boolean
  url?: string
  apiKey?: string
  project: string
  grpc?: boolean
  address: string
  certificates?: string
  serverName: string
}

const tasksIdentity = 'tasks.flowforge.serviceaccount.identity.linkerd.cluster.local'

/** Declares the options that say where FlowForge is and who asks. */
export function addConnectionOptions(program: Command): void {
  const option = (flags: string, description: string) => new Option(flags, description)
  program
    .addOption(option('--url <url>', 'the gateway (default: the running local system)').env('FLOWFORGE_URL'))
    .addOption(option('--api-key <key>', 'the key (default: in .flowforge/api-key)').env('FLOWFORGE_API_KEY'))
    .addOption(option('--project <id>', 'the project').env('FLOWFORGE_PROJECT').default('default'))
    .option('--grpc', 'speak gRPC to the tasks service, with types that it describes by reflection')
    .addOption(option('--address <host:port>', 'with --grpc').env('FLOWFORGE_TASKS_ADDRESS').default('127.0.0.1:7101'))
    .addOption(option('--certificates <dir>', 'with --grpc (default: .flowforge/certificates/operator)'))
    .addOption(option('--server-name <name>', 'with --grpc: whom to expect there').default(tasksIdentity))
}

/**
 * Runs an action with the client that the options describe, and lets go of it afterwards.
 *
 * What the options leave open is taken from the nearest `.flowforge` folder at or above the current one, or beside this
 * repository.
 */
export async function withClient<T>(options: GlobalOptions, action: (client: Client) => Promise<T>): Promise<T> {
  const client = await open(options)
  try {
    return await action(client)
  } finally {
    client.close()
  }
}

async function open(options: GlobalOptions): Promise<Client> {
  const { project } = options
  if (!options.grpc) {
    const apiKey = options.apiKey ?? read('api-key')?.trim()
    if (!apiKey) throw new UsageError('no API key: set FLOWFORGE_API_KEY, or run where a .flowforge/api-key is')
    return new Client({ url: validUrl(options.url ?? runningUrl()), apiKey, project })
  }
  const certificates = options.certificates ?? find('certificates/operator/ca.pem')?.replace(/\/ca\.pem$/, '')
  if (!certificates || !existsSync(join(certificates, 'ca.pem'))) {
    throw new UsageError('no certificates: name their folder by --certificates, or run where a .flowforge folder is')
  }
  const { address, serverName } = options
  // Loaded here because it takes longer than most calls by HTTP.
  const { dial, grpcTransport } = await import('./grpc/transport.ts')
  return new Client({ project, transport: grpcTransport(dial({ address, serverName, certificates })) })
}

function validUrl(url: string): string {
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new UsageError(`--url must be like http://127.0.0.1:8080, got ${JSON.stringify(url)}`)
  }
  return url
}

/** Where the launcher of the local system says that its gateway is. */
function runningUrl(): string {
  try {
    return (JSON.parse(read('run/launcher.json') ?? '{}') as { url?: string }).url ?? 'http://127.0.0.1:8080'
  } catch {
    // Half written, so nothing runs there yet.
    return 'http://127.0.0.1:8080'
  }
}

function read(path: string): string | undefined {
  const file = find(path)
  return file === undefined ? undefined : readFileSync(file, 'utf8')
}

function find(path: string): string | undefined {
  const starts = [process.cwd(), dirname(fileURLToPath(import.meta.url))]
  return starts
    .flatMap(upwards)
    .map((folder) => join(folder, '.flowforge', path))
    .find((file) => existsSync(file))
}

function upwards(folder: string): string[] {
  const parent = dirname(folder)
  return parent === folder ? [folder] : [folder, ...upwards(parent)]
}
