import { expect, test } from 'vitest'
import { optionsOf } from './smtp.ts'

test('links go over TLS but to a server on this machine, or where somebody said otherwise', () => {
  const of = (url: string) => {
    const { host, port, secure, requireTLS } = optionsOf(new URL(url))
    return [host, port, secure, requireTLS]
  }
  expect(of('smtp://mail.example.com')).toEqual(['mail.example.com', 587, false, true])
  expect(of('smtp://mail.example.com:25?requireTLS=false')).toEqual(['mail.example.com', 25, false, false])
  expect(of('smtps://mail.example.com')).toEqual(['mail.example.com', 465, true, false])
  expect(of('smtp://127.0.0.1:2525')).toEqual(['127.0.0.1', 2525, false, false])
  expect(of('smtp://[::1]:2525')).toEqual(['::1', 2525, false, false])
  expect(of('smtp://localhost.example.com')).toEqual(['localhost.example.com', 587, false, true])
})

test('name and password in the address may have any letters', () => {
  expect(optionsOf(new URL('smtp://ada%40example.com:p%2Fw%3A@mail.example.com')).auth).toEqual({ user: 'ada@example.com', pass: 'p/w:' })
})
