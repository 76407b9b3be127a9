/** The plans of statements as they really ran, those inside of functions and triggers included, by auto_explain. */
import pg from 'pg'

export interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Subplan Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: PlanNode[]
}

export interface Plan {
  text: string
  root: PlanNode
}

/** A pool of one connection whose statements are explained; superuser, for only one may load auto_explain. */
export interface ExplainedPool {
  pool: pg.Pool
  /** Runs something and answers with the plans of all statements that it ran, inner ones before outer ones. */
  plansOf: (run: () => Promise<unknown>) => Promise<Plan[]>
}

export async function explainedPool(adminUrl: string): Promise<ExplainedPool> {
  const pool = new pg.Pool({ connectionString: adminUrl, max: 1 })
  let plans: Plan[] = []
  pool.on('connect', (client) => {
    client.on('notice', ({ message }) => {
      const json = message?.match(/plan:\s*(\{.*\})\s*$/s)?.[1]
      if (!json) return
      const { 'Query Text': text, Plan: root } = JSON.parse(json)
      plans.push({ text, root })
    })
  })
  await pool.query(`load 'auto_explain'`)
  await pool.query(`set auto_explain.log_analyze = on`)
  await pool.query(`set auto_explain.log_buffers = on`)
  await pool.query(`set auto_explain.log_timing = off`)
  await pool.query(`set auto_explain.log_nested_statements = on`)
  await pool.query(`set auto_explain.log_format = json`)
  return {
    pool,
    async plansOf(run) {
      await pool.query(`set client_min_messages = log`)
      await pool.query(`set auto_explain.log_min_duration = 0`)
      plans = []
      try {
        await run()
        return plans
      } finally {
        await pool.query(`set auto_explain.log_min_duration = -1`)
        await pool.query(`set client_min_messages = notice`)
      }
    },
  }
}

/** All nodes of a plan, the root first. */
export function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}

/** Pages that a plan touched. */
export function buffersOf(plans: Plan[]): number {
  return plans.reduce((sum, { root }) => sum + root['Shared Hit Blocks'] + root['Shared Read Blocks'], 0)
}

/** Nodes that read a table from its beginning to its end. */
export function sequentialScans(plans: Plan[], table: RegExp): PlanNode[] {
  return plans
    .flatMap(({ root }) => nodesOf(root))
    .filter((node) => node['Node Type'] === 'Seq Scan' && table.test(node['Relation Name'] ?? ''))
    .filter((node) => node['Actual Loops'] > 0)
}
