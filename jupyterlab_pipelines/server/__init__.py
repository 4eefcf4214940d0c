"""The door for JupyterLab: REST and events. Runs no user code and opens no pickle."""
