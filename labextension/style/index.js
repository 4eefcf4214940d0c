import './base.css';
import './tasks.css';
