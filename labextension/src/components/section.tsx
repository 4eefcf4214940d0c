import { caretDownIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

interface SectionProps {
  title: string;
  /** A few words beside the title. */
  note?: string;
  isOpenAtFirst?: boolean;
  className?: string;
  headerRef?: React.Ref<HTMLHeadingElement>;
  children: React.ReactNode;
}

/** A part of the panel that can be folded. */
export function Section(props: SectionProps): React.ReactElement {
  const [isOpen, setOpen] = React.useState(props.isOpenAtFirst ?? true);
  const id = React.useId();
  return (
    <section className={`jp-Pipelines-section ${props.className ?? ''}`} aria-labelledby={id}>
      <h3 ref={props.headerRef} className="jp-Pipelines-sectionHeader">
        <button id={id} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          <caretDownIcon.react className="jp-Pipelines-caret" tag="span" />
          <span>{props.title}</span>
          {props.note ? <span className="jp-Pipelines-note">{props.note}</span> : null}
        </button>
      </h3>
      {isOpen ? props.children : null}
    </section>
  );
}
