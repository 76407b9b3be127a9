/** What V8 does otherwise where a process has one processor. */
import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/**
 * Lets the main thread alone collect young objects if there is one processor, by affinity or by the container's limit.
 *
 * V8 would share that work with helper threads and wait for them. On one processor each first has to get its turn, so
 * what takes 0.6 ms holds up every answer for 2 to 10 ms (docs/decisions/0019).
 */
export function collectYoungAlone(): void {
  if (availableParallelism() === 1) setFlagsFromString('--no-parallel-scavenge')
}
