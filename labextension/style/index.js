import './base.css';
import './statistics.css';
