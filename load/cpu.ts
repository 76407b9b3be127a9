/** CPU time of processes, from /proc; undefined on systems without it. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'

// The kernel tells it in ticks, of which every Linux that Node.js runs on has 100 a second.
const tickMs = 10

/** CPU time used so far by these processes and by all children that they have or had. */
export function cpuMs(pids: number[]): number | undefined {
  if (!existsSync('/proc/self/stat')) return undefined
  const processes = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (read(Number(name)) ?? []) : []))
  const counted = new Set(pids)
  for (let before = 0; before !== counted.size;) {
    before = counted.size
    for (const { pid, parent } of processes) if (counted.has(parent)) counted.add(pid)
  }
  return processes.filter(({ pid }) => counted.has(pid)).reduce((sum, { ticks }) => sum + ticks * tickMs, 0)
}

function read(pid: number): { pid: number; parent: number; ticks: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command's name, in parentheses, may hold anything; the fields follow it, the third one first.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [user, system, endedChildrenUser, endedChildrenSystem] = fields.slice(11, 15).map(Number)
    return { pid, parent: Number(fields[1]), ticks: user! + system! + endedChildrenUser! + endedChildrenSystem! }
  } catch {
    // It has ended since the folder was listed.
    return undefined
  }
}
