// What goes onto another site: a title there is a stranger's text.
import { expect, test } from 'vitest';
import { snippetOf } from './embedding.ts';

test('a title cannot leave its place in the code', () => {
  const code = snippetOf('https://hall.example', 'room00000001', '"><script>alert(1)</script>&');
  expect(code).toContain('src="https://hall.example/embed/room00000001"');
  expect(code).toContain('title="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;"');
  expect(code.match(/</g)).toHaveLength(2);
});
