import { setTimeout as pause } from 'node:timers/promises'
import { Metadata } from '@grpc/grpc-js'
import { isUnsent } from '@flowforge/grpc/unary/unsent'
import type { Channel } from './client.ts'

const healthCheck = '/grpc.health.v1.Health/Check'
const pauseMs = 100

/**
 * Asks the service for its health, and again while it cannot be reached. Resolves with true once it answered, whatever it
 * said: a process that did this before it is ready has its connections when the first call comes. False after `withinMs`.
 */
export async function untilAnswering(channel: Channel, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs
  while (Date.now() < deadline) {
    if (await answers(channel, deadline)) return true
    await pause(pauseMs)
  }
  return false
}

function answers({ unary }: Channel, deadline: number): Promise<boolean> {
  const request = { path: healthCheck, message: Buffer.alloc(0), metadata: new Metadata(), deadline }
  return new Promise((resolve) => {
    unary.call(request, (error) => resolve(error === null || (!isUnsent(error) && Date.now() < deadline)))
  })
}
