import type { EventServiceClient } from '@flowforge/proto/flowforge/tasks/v1/event_service.ts'
import type { PromiseClient } from '@flowforge/runtime/client'
import type { CallContext } from '@flowforge/runtime/server'
import { unavailable } from '@flowforge/runtime/status'

/**
 * Takes the cursor after which a project's tasks end "from now on".
 *
 * A subscription takes it before it commits, so that whatever ends after its creation was answered lies behind it. The
 * question ends with the call that is served, and a little before it.
 */
export type TakeHead = (project: string, served: Pick<CallContext, 'signal' | 'deadline'>) => Promise<string>

/** Takes the head from the tasks service: it answers a stream without a cursor at once with where it stands. */
export function takeHeadFrom(events: PromiseClient<EventServiceClient>): TakeHead {
  return async (project, { signal, deadline }) => {
    const request = { parents: [`projects/${project}`], cursor: '' }
    let cause: unknown
    try {
      for await (const { cursor } of events.streamFinishedTasks(request, { signal, deadline })) return cursor
    } catch (error) {
      // Whatever is wrong there, our caller did nothing wrong and has no use for that service's own words.
      cause = error
    }
    throw unavailable('EVENTS_UNAVAILABLE', 'the tasks service does not say where its events stand', 1_000, cause)
  }
}
