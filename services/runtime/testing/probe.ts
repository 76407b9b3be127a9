/** One RPC of each kind, taken from the contracts, for tests that are about calls and not about what they do. */
import { AuthServiceClient, AuthServiceService } from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import { EventServiceClient, EventServiceService } from '@flowforge/proto/flowforge/tasks/v1/event_service.ts'
import {
  WorkerServiceClient,
  WorkerServiceService,
  type WorkRequest,
  type WorkResponse,
} from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { client, type Channel } from '../client.ts'
import { loadPolicies, type MethodPolicy } from '../policy.ts'
import { service, type BidiHandler, type CallContext, type ServerStreamHandler, type Service } from '../server.ts'

export const unaryPath = AuthServiceService.verifyApiKey.path
export const streamPath = EventServiceService.streamFinishedTasks.path
export const bidiPath = WorkerServiceService.work.path

/** A service whose one unary RPC answers with `answer(text)`; the gateway may call it. */
export function unaryProbe(answer: (text: string, context: CallContext) => Promise<string>): Service {
  return service(
    { verifyApiKey: AuthServiceService.verifyApiKey },
    {
      async verifyApiKey({ secret }, context) {
        return { principal: await answer(secret, context), project: '', roles: [], expireTime: undefined }
      },
    },
  )
}

/** Calls the unary probe. */
export async function askUnary(channel: Channel, text = '', settings = {}): Promise<string> {
  return (await client(AuthServiceClient, channel).verifyApiKey({ secret: text }, settings)).principal
}

/** A service with one server stream of texts; notifications may call it. */
export function streamProbe(
  handler: (text: string, context: CallContext, send: (text: string) => Promise<void>) => Promise<void>,
): Service {
  const streamFinishedTasks: ServerStreamHandler<
    { parents: string[]; cursor: string },
    { tasks: []; cursor: string }
  > = ({ cursor }, context, send) => handler(cursor, context, (text) => send({ tasks: [], cursor: text }))
  return service({ streamFinishedTasks: EventServiceService.streamFinishedTasks }, { streamFinishedTasks })
}

/** Reads the stream probe. */
export async function* readStream(channel: Channel, text = '', settings = {}): AsyncGenerator<string> {
  const responses = client(EventServiceClient, channel).streamFinishedTasks({ parents: [], cursor: text }, settings)
  for await (const { cursor } of responses) yield cursor
}

/** A service with one bidirectional stream; workers may call it. */
export function bidiProbe(work: BidiHandler<WorkRequest, WorkResponse>): Service {
  return service({ work: WorkerServiceService.work }, { work })
}

/** Opens the bidirectional probe. */
export function openStream(channel: Channel) {
  return client(WorkerServiceClient, channel).work()
}

/** The contracts' policies with some of one RPC's changed. */
export function changedPolicy(path: string, change: Partial<MethodPolicy>): Map<string, MethodPolicy> {
  const policies = new Map(loadPolicies())
  policies.set(path, { ...policies.get(path)!, ...change })
  return policies
}
