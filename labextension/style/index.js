import './base.css';
import './tasks.css';
import './statistics.css';
