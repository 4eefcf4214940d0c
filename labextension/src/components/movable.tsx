/**
 * Sections of the panel that people can move into another sidebar, such as the file browser.
 *
 * What a section shows is always drawn by the panel. It is drawn into the node of a widget of its own, and
 * that widget stands in the panel, or wherever it was moved to.
 */
import type { ISectionEntry } from '@jupyterlab/apputils';
import type { Message } from '@lumino/messaging';
import { Signal, type ISignal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import * as React from 'react';
import { createPortal } from 'react-dom';

import { Section } from './section';

/** Owns the widgets of the sections, and knows which of them are somewhere else. */
export class MovableSections {
  /** `titles`: of the sections, by id. */
  constructor(titles: { [id: string]: string }) {
    for (const [id, title] of Object.entries(titles)) {
      const widget = new SectionWidget(() => this._changed.emit());
      widget.id = `${PREFIX}-${id}`;
      widget.addClass('jp-Pipelines-sectionBody');
      widget.title.label = title;
      this._widgets.set(id, widget);
    }
  }

  /** A section was moved, or a moved one was shown or hidden. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A section has got its place in the panel. */
  get added(): ISignal<this, ISectionEntry> {
    return this._added;
  }

  /** Whether a section is seen outside of the panel. */
  get isSeenElsewhere(): boolean {
    return [...this._moved].some(id => this._widgets.get(id)!.isVisible);
  }

  get entries(): ISectionEntry[] {
    return [...this._headers].map(([id, titleNode]) => this._entry(id, titleNode));
  }

  widget(id: string): Widget {
    return this._widgets.get(id)!;
  }

  isMoved(id: string): boolean {
    return this._moved.has(id);
  }

  /** Take a section out of the panel. */
  remove(sectionId: string): Widget | null {
    const id = this._idOf(sectionId);
    if (id === null || this._moved.has(id)) {
      return null;
    }
    this._moved.add(id);
    const widget = this.widget(id);
    widget.node.remove();
    widget.addClass('jp-Pipelines');
    widget.addClass('jp-Pipelines-moved');
    this._changed.emit();
    return widget;
  }

  /** Put a section back. */
  reinsert(widget: Widget): void {
    const id = this._idOf(widget.id);
    if (id !== null) {
      widget.parent = null;
      widget.show();
      widget.removeClass('jp-Pipelines');
      widget.removeClass('jp-Pipelines-moved');
      this._moved.delete(id);
      this._changed.emit();
    }
  }

  /** The header of a section is there, or with null is there no more. */
  setHeader(id: string, node: HTMLElement | null): void {
    if (node) {
      this._headers.set(id, node);
      this._added.emit(this._entry(id, node));
    } else {
      this._headers.delete(id);
    }
  }

  private _entry(id: string, titleNode: HTMLElement): ISectionEntry {
    const widget = this.widget(id);
    return { id: widget.id, titleNode, widget };
  }

  private _idOf(sectionId: string): string | null {
    return [...this._widgets].find(([, widget]) => widget.id === sectionId)?.[0] ?? null;
  }

  private readonly _widgets = new Map<string, SectionWidget>();
  private readonly _headers = new Map<string, HTMLElement>();
  private readonly _moved = new Set<string>();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _added = new Signal<this, ISectionEntry>(this);
}

const PREFIX = 'jp-Pipelines-section';

class SectionWidget extends Widget {
  constructor(private readonly _onSeen: () => void) {
    super();
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._onSeen();
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._onSeen();
  }

  protected override onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this._onSeen();
  }
}

export const SectionsContext = React.createContext<MovableSections | null>(null);

interface MovableSectionProps {
  /** Unique in the panel. */
  id: string;
  title: string;
  note?: string;
  className?: string;
  children: React.ReactNode;
}

/** A section as any other, which may be drawn elsewhere. */
export function MovableSection(props: MovableSectionProps): React.ReactElement {
  const { id, children, ...section } = props;
  const sections = React.useContext(SectionsContext);
  const header = React.useRef<HTMLHeadingElement>(null);
  const isMoved = sections?.isMoved(id) ?? false;
  React.useEffect(() => {
    sections?.setHeader(id, header.current);
    return () => sections?.setHeader(id, null);
  }, [sections, isMoved]);
  if (!sections) {
    return <Section {...section}>{children}</Section>;
  }
  const widget = sections.widget(id);
  return (
    <>
      {isMoved ? null : (
        <Section {...section} headerRef={header}>
          <Host widget={widget} />
        </Section>
      )}
      {createPortal(children, widget.node)}
    </>
  );
}

/** The place of a section in the panel. */
function Host({ widget }: { widget: Widget }): React.ReactElement {
  const host = React.useRef<HTMLDivElement>(null);
  React.useLayoutEffect(() => {
    host.current!.appendChild(widget.node);
    return () => {
      if (widget.node.parentNode === host.current) {
        widget.node.remove();
      }
    };
  }, [widget]);
  return <div ref={host} />;
}
