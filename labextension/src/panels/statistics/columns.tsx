/** The columns of a table as a list, each a button that opens it; as many are drawn as were scrolled to. */
import * as React from 'react';

import { useTrans } from '../../components/context';
import { Chip } from './anomalies';
import { percent, type JudgedRow } from './rows';
import { inWords, Sparkline } from './sparkline';

const Detail = React.lazy(() => import('./detail'));

/** So many are drawn at a time: a table may have thousands. */
const PAGE = 40;

interface ColumnsProps {
  rows: readonly JudgedRow[];
  label: string;
  /** Name of the column that is open. */
  opened: string | null;
  onOpen(name: string | null): void;
}

export function Columns({ rows, label, opened, onOpen }: ColumnsProps): React.ReactElement {
  const list = React.useRef<HTMLUListElement>(null);
  const openedAt = rows.findIndex(row => row.name === opened);
  const [shown, setShown] = React.useState(PAGE);
  const most = Math.max(shown, openedAt + 1);
  // Others are looked at: from the beginning.
  React.useEffect(() => setShown(PAGE), [rows]);
  // Of so many buttons one is reached by Tab, the others by arrows.
  const [current, setCurrent] = React.useState<string | null>(null);
  const reached = rows.some(row => row.name === current) ? current : rows[0]?.name;
  const more = React.useCallback(
    () => React.startTransition(() => setShown(old => old + PAGE)),
    []
  );

  const onKeyDown = (event: React.KeyboardEvent): void => {
    const buttons = [
      ...(list.current?.querySelectorAll<HTMLElement>('.jp-Pipelines-columnButton') ?? [])
    ];
    const at = buttons.indexOf(event.target as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[
      event.key
    ];
    if (at >= 0 && next !== undefined) {
      buttons[Math.max(0, Math.min(next, buttons.length - 1))].focus();
      event.preventDefault();
    }
  };

  return (
    <>
      <ul ref={list} className="jp-Pipelines-columns" aria-label={label} onKeyDown={onKeyDown}>
        {rows.slice(0, most).map(row => (
          <Column
            key={row.name}
            row={row}
            isOpen={row.name === opened}
            isReached={row.name === reached}
            onOpen={onOpen}
            onFocus={setCurrent}
          />
        ))}
      </ul>
      {most < rows.length ? <More key={most} left={rows.length - most} onMore={more} /> : null}
    </>
  );
}

/** Draws more as soon as it is scrolled into view. */
function More({ left, onMore }: { left: number; onMore(): void }): React.ReactElement {
  const trans = useTrans();
  const element = React.useRef<HTMLButtonElement>(null);
  React.useEffect(() => {
    const observer = new IntersectionObserver(entries => {
      if (entries.some(entry => entry.isIntersecting)) {
        onMore();
      }
    });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, [onMore]);
  return (
    <button ref={element} className="jp-Pipelines-link jp-Pipelines-more" onClick={onMore}>
      {trans._n('%1 more column', '%1 more columns', left)}
    </button>
  );
}

interface ColumnProps {
  row: JudgedRow;
  isOpen: boolean;
  isReached: boolean;
  onOpen(name: string | null): void;
  onFocus(name: string): void;
}

const Column = React.memo(function Column(props: ColumnProps): React.ReactElement {
  const { row, isOpen, isReached, onOpen, onFocus } = props;
  const trans = useTrans();
  const id = React.useId();
  const item = React.useRef<HTMLLIElement>(null);
  const first = row.verdicts.at(0);
  React.useEffect(() => {
    if (isOpen) {
      item.current?.scrollIntoView({ block: 'nearest' });
    }
  }, [isOpen]);
  return (
    <li
      ref={item}
      className="jp-Pipelines-column"
      data-column={row.name}
      data-severity={first?.severity}
      data-gone={row.is_gone || undefined}
    >
      <button
        className="jp-Pipelines-columnButton"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        tabIndex={isReached ? 0 : -1}
        onFocus={() => onFocus(row.name)}
        onClick={() => onOpen(isOpen ? null : row.name)}
      >
        <span className="jp-Pipelines-columnName">
          {row.is_gone ? <del>{shownName(row.name)}</del> : <bdi>{shownName(row.name)}</bdi>}{' '}
          <small title={row.dtype}>{row.type}</small>
        </span>
        <span className="jp-Pipelines-columnVerdicts">
          {first ? <Chip verdict={first} /> : null}
          {row.verdicts.length > 1 ? (
            <span
              className="jp-Pipelines-small"
              title={row.verdicts.map(({ sentence }) => sentence).join('\n')}
            >{`+${row.verdicts.length - 1}`}</span>
          ) : null}
        </span>
        <Nulls row={row} />
        <span className="jp-Pipelines-columnDistinct">
          {row.distinct === null ? '–' : row.distinct.toLocaleString()}
          <small>{trans.__('distinct')}</small>
        </span>
        <span className="jp-Pipelines-columnShape">
          {row.bins && !row.is_gone ? (
            <Sparkline bins={row.bins} label={inWords(trans, row.bins)} />
          ) : null}
        </span>
        <ThreeNumbers row={row} />
      </button>
      {isOpen ? (
        <div id={id} className="jp-Pipelines-columnDetail">
          <React.Suspense fallback={<p>{trans.__('Loading…')}</p>}>
            <Detail row={row} />
          </React.Suspense>
        </div>
      ) : null}
    </li>
  );
});

/** How much is missing, as a bar with a line where it was in the reference. */
function Nulls({ row }: { row: JudgedRow }): React.ReactElement {
  const trans = useTrans();
  const { nulls, reference_nulls: before } = row;
  const words =
    before === null || before === nulls
      ? trans.__('%1 of the values are missing', percent(nulls))
      : trans.__(
          '%1 of the values are missing, %2 in the reference',
          percent(nulls),
          percent(before)
        );
  return (
    <span className="jp-Pipelines-columnNulls" title={words}>
      <span className="jp-Pipelines-bar1" aria-hidden="true">
        <span style={{ width: percentage(nulls) }} />
        {before !== null && before !== nulls ? (
          <i style={{ insetInlineStart: percentage(before) }} />
        ) : null}
      </span>
      <span>
        {percent(nulls)} <small>{trans.__('nulls')}</small>
      </span>
    </span>
  );
}

function percentage(share: number): string {
  // A few of many are seen, too.
  return share > 0 ? `max(2px, ${(100 * share).toFixed(1)}%)` : '0';
}

function ThreeNumbers({ row }: { row: JudgedRow }): React.ReactElement {
  const numbers = Object.entries(row.numbers);
  const told = numbers.map(([name, value]) => `${name} ${value}`).join(' · ');
  const earlier = Object.entries(row.reference_numbers ?? {})
    .map(([name, value]) => `${name} ${value}`)
    .join(' · ');
  return (
    <span className="jp-Pipelines-columnNumbers" title={earlier ? `${told}\n← ${earlier}` : told}>
      {numbers.map(([name, value]) => (
        <span key={name}>
          <small>{name}</small> <bdi>{value}</bdi>
        </span>
      ))}
    </span>
  );
}

/** A name as it can be seen: what has no glyph, or turns the writing, is told by its code. */
export function shownName(name: string): string {
  if (name.trim() === '') {
    return `'${name}'`;
  }
  return name.replace(
    /[\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g,
    letter => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
  );
}
