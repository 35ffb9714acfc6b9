import { expect, test } from 'vitest'
import { safeName } from './files.ts'

test('a name that a run made up cannot leave its folder, hide, or act on a terminal', () => {
  expect(
    ['chart.svg', '../../etc/passwd', '..\\..\\x.png', '.bashrc', '/', '', '..', 'a/../b.svg', 'x\u001b[2J\n.svg', '-rf', '图表 1.png'].map(safeName),
  ).toEqual(['chart.svg', 'passwd', 'x.png', 'bashrc', 'file', 'file', 'file', 'b.svg', 'x[2J.svg', 'rf', '图表 1.png'])
})
