import * as React from 'react';

/**
 * A sentence whose names stand between backticks, as in the terminal: here they are set as code.
 *
 * A number keeps the unit behind it on its line.
 */
export function Words({ text }: { text: string }): React.ReactElement {
  const parts = text.replace(/(\d) %/g, '$1\u00a0%').split(/`([^`\n]+)`/);
  return <>{parts.map((part, at) => (at % 2 === 1 ? <code key={at}>{part}</code> : part))}</>;
}
