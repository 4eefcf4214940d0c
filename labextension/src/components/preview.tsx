/** What is shown of a stored value: the head of a table, items, a model's parameters. */
import * as React from 'react';

import type { PreviewContent } from '../tokens';
import { formatValue } from '../units';
import { useTrans } from './context';

export function PreviewView({ content }: { content: PreviewContent | null }): React.ReactElement {
  const trans = useTrans();
  if (content === null) {
    return <p className="jp-Pipelines-small">{trans.__('There is nothing to show of it.')}</p>;
  }
  switch (content.kind) {
    case 'table':
      return <TablePreview {...content} />;
    case 'array':
      return <pre tabIndex={0}>{content.values.join('  ')}</pre>;
    case 'image':
      return (
        <img
          className="jp-Pipelines-picture"
          src={`data:image/png;base64,${content.png}`}
          alt={trans.__('Picture, %1', content.shape.join(' × '))}
        />
      );
    case 'items':
      return <Pairs pairs={content.items} isCut={content.length > content.items.length} />;
    case 'parameters':
      return <Pairs pairs={Object.entries(content.parameters)} isCut={false} />;
    case 'text':
      return <pre tabIndex={0}>{content.text}</pre>;
    default:
      return <pre tabIndex={0}>{JSON.stringify(content, null, 1)}</pre>;
  }
}

function TablePreview(table: Extract<PreviewContent, { kind: 'table' }>): React.ReactElement {
  const trans = useTrans();
  const [rows, columns] = table.shape;
  const isCut = rows > table.rows.length || (columns ?? 1) > table.columns.length;
  return (
    <div className="jp-Pipelines-table" tabIndex={0} role="region" aria-label={trans.__('Preview')}>
      <table>
        <thead>
          <tr>
            {table.index ? <td /> : null}
            {table.columns.map((column, at) => (
              <th key={at} scope="col" title={`${column.name}: ${column.dtype}`}>
                {column.name}
                <small>{column.dtype}</small>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, at) => (
            <tr key={at}>
              {table.index ? <th scope="row">{table.index[at]}</th> : null}
              {row.map((cell, column) => (
                <td key={column} title={cell}>
                  {formatValue(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {isCut ? (
        <p className="jp-Pipelines-small">
          {trans.__(
            'The first %1 of %2 rows, %3 of %4 columns',
            table.rows.length,
            rows.toLocaleString(),
            table.columns.length,
            (columns ?? 1).toLocaleString()
          )}
        </p>
      ) : null}
    </div>
  );
}

function Pairs(props: { pairs: readonly [string, string][]; isCut: boolean }): React.ReactElement {
  return (
    <dl className="jp-Pipelines-pairs" tabIndex={0}>
      {props.pairs.map(([name, value], at) => (
        <div key={at}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
      {props.isCut ? <div>…</div> : null}
    </dl>
  );
}
