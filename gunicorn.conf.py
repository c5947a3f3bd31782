"""How gunicorn serves the app.

Each worker has its own pool, so PostgreSQL must allow
    WEB_CONCURRENCY x (DB_POOL_SIZE + DB_MAX_OVERFLOW) connections: 2 x (20 + 10) = 60 of its 100.
A worker has more threads than connections, so that what needs no connection (a cached read, a
health check) finds a thread while all of those wait for the database. The kernel spreads requests
unevenly: 30 at once must find a thread and a connection even if all of them land on one worker.
"""

from allthing.config import load_settings
from allthing.database.startup_checks import prepare_worker
from allthing.runtime.gunicorn_worker import set_send_timeout
from allthing.runtime.logs import logging_config

settings = load_settings()

bind = f"0.0.0.0:{settings.port}"
worker_class = "allthing.runtime.gunicorn_worker.Worker"
logger_class = "allthing.runtime.gunicorn_worker.Logger"
when_ready = set_send_timeout
post_worker_init = prepare_worker
workers = settings.web_concurrency
threads = settings.web_threads
worker_tmp_dir = "/dev/shm"  # the heartbeat file must not wait for a disk
preload_app = False  # a forked engine shares sockets between workers
timeout = 30
graceful_timeout = 8  # a container gets 10 s between SIGTERM and SIGKILL
keepalive = 5
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190
forwarded_allow_ips = "127.0.0.1"
control_socket_disable = True  # it can't be made on a read-only root
logconfig_dict = logging_config(settings.log_level)
