/** QueueService: looks at queues and steers them. */
import type { Queue } from '@flowforge/proto/opaque/flowforge/tasks/v1/queue_service.ts'
import type { QueueServiceService } from '@flowforge/proto/opaque/flowforge/tasks/v1/queue_service.ts'
import { decodePageToken, encodePageToken } from '@flowforge/runtime/page-token'
import type { Handlers } from '@flowforge/runtime/server'
import { notFound } from '@flowforge/runtime/status'
import { changeQueue, listQueues, readQueue, setPaused, type QueueCounts } from '../engine/queues.ts'
import type { QueueRow } from '../tables.ts'
import { checkQueue } from './check-queue.ts'
import { parseProject, parseQueueName, queueName } from './names.ts'
import { pageSizeOf } from '@flowforge/runtime/paging'
import { durationOf } from './task-message.ts'
import type { Tasks } from './tasks.ts'

export function queueHandlers({ engine }: Tasks): Handlers<QueueServiceService> {
  const queueByName = async (project: string, queue: string): Promise<Queue> => {
    const row = await readQueue(engine.pool, project, queue)
    if (!row) throw notFound(queueName(project, queue))
    return queueMessage(row)
  }
  const pause = async (name: string, paused: boolean): Promise<Queue> => {
    const { project, queue } = parseQueueName(name)
    const id = await setPaused(engine.pool, project, queue, paused)
    if (id === undefined) throw notFound(name)
    await engine.queueChanged(id)
    return queueByName(project, queue)
  }
  return {
    async getQueue({ name }) {
      const { project, queue } = parseQueueName(name)
      return queueByName(project, queue)
    },
    async listQueues({ parent, pageSize, pageToken }) {
      const project = parseProject(parent)
      const limit = pageSizeOf(pageSize)
      const after = String(decodePageToken(pageToken, parent) ?? '')
      const rows = await listQueues(engine.pool, project, after, limit + 1)
      const page = rows.slice(0, limit)
      return {
        queues: page.map(queueMessage),
        nextPageToken: rows.length > limit ? encodePageToken(page.at(-1)!.name, parent) : '',
      }
    },
    async updateQueue({ queue, updateMask }) {
      const { project, queue: name } = parseQueueName(queue?.name ?? '', 'queue.name')
      const change = checkQueue(queue!, updateMask)
      const { id } = await engine.queues.make(project, name)
      await changeQueue(engine.pool, id, change)
      await engine.queueChanged(id)
      return queueByName(project, name)
    },
    pauseQueue: ({ name }) => pause(name, true),
    resumeQueue: ({ name }) => pause(name, false),
  }
}

function queueMessage(row: QueueRow & QueueCounts): Queue {
  return {
    name: queueName(row.project, row.name),
    paused: row.paused,
    retention: durationOf(row.retention_s * 1000),
    scheduledCount: BigInt(row.scheduled),
    readyCount: BigInt(row.ready),
    runningCount: BigInt(row.running),
    deadCount: BigInt(row.dead),
    oldestReadyTime: row.oldest_ready_time ?? undefined,
    createTime: row.create_time,
    concurrency: row.concurrency ?? 0,
    concurrencyPerKey: row.concurrency_per_key,
    ratePerSecond: row.rate_per_s ?? 0,
    rateBurst: row.rate_burst ?? 0,
    fairnessWeights: row.fairness_weights,
    ageing: row.ageing_s === null ? undefined : durationOf(row.ageing_s * 1000),
  }
}
