import { PermanentError, type Handler } from '@flowforge/sdk'
import { createTransport } from 'nodemailer'
import { optionalText, payloadInvalid, text, texts } from '../payload.ts'

const timeoutMs = 30_000

/**
 * `email.send`: sends a mail through the SMTP server that FLOWFORGE_SMTP_URL names.
 *
 * Payload: `from`, `to` (one address or a list), `cc`, `bcc`, `subject`, `text`, `html`. A 5xx reply of the server is
 * permanent, everything else is tried again. The Message-ID comes from the task, so a mail that was sent twice can be told.
 */
export function emailSend(smtpUrl: string | undefined): { handler: Handler; close(): void } {
  const transport = smtpUrl === undefined ? undefined : open(smtpUrl)
  const handler: Handler = async (task) => {
    if (!transport)
      throw new PermanentError('no SMTP server is set: set FLOWFORGE_SMTP_URL on the worker', {
        reason: 'SMTP_NOT_SET',
      })
    const payload = task.payload ?? {}
    const mail = {
      from: text(payload, 'from'),
      to: texts(payload, 'to'),
      cc: texts(payload, 'cc'),
      bcc: texts(payload, 'bcc'),
      subject: optionalText(payload, 'subject'),
      text: optionalText(payload, 'text'),
      html: optionalText(payload, 'html'),
      messageId: `<${task.uid}@flowforge>`,
    }
    if (mail.to.length + mail.cc.length + mail.bcc.length === 0) throw payloadInvalid('to', 'given, or cc, or bcc')
    const sent = await transport.sendMail(mail).catch((error: unknown) => {
      throw isRefused(error) ? new PermanentError(messageOf(error), { reason: 'SMTP_REFUSED', cause: error }) : error
    })
    return { message_id: sent.messageId, accepted: sent.accepted.map(String), rejected: sent.rejected.map(String) }
  }
  return { handler, close: () => transport?.close() }
}

function open(url: string): ReturnType<typeof createTransport> {
  const bounds = {
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    pool: true,
    maxConnections: 5,
  }
  // A payload must not make the worker read files or fetch URLs in place of content.
  return createTransport({ url, ...bounds, disableFileAccess: true, disableUrlAccess: true } as object)
}

function isRefused(error: unknown): boolean {
  const code = (error as { responseCode?: number }).responseCode ?? 0
  return code >= 500 && code < 600
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
