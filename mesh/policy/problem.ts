import type { SourceLine } from './policy.ts'

/** One reason why a declaration does not compile. */
export interface Problem {
  source: SourceLine
  /** The RPC or service, `flowforge.tasks.v1.TaskService/CreateTask`. */
  subject: string
  /** What is wrong, and what it would lead to. */
  message: string
  /** What to write instead. */
  mend: string
}

/** Thrown for contracts whose policy does not compile; names every problem, one a line. */
export class PolicyError extends Error {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'))
    this.name = 'PolicyError'
    this.problems = problems
  }
}

function formatProblem({ source, subject, message, mend }: Problem): string {
  return `${source.file}:${source.line}: ${subject} ${message}; ${mend}`
}
