"""Every check of the doctor, in the order in which they are asked: who has no database is not asked for rows."""

from __future__ import annotations

from monitoring.doctor import accounts, doors, lines, machine, rows, running
from monitoring.doctor.values import Check
from trading.domain.types import Text

CHECKS = (
    Check("python", Text("Python", "Python"), machine.python),
    Check("packages", Text("packages", "软件包"), machine.packages, deadline=30),
    Check("folders", Text("folders", "文件夹"), machine.folders),
    Check("files", Text("rights of files", "文件权限"), machine.private_files),
    Check("disk", Text("disk", "磁盘"), machine.disk),
    Check("openness", Text("access", "访问安全"), doors.openness),
    Check("clock", Text("clock", "时钟"), machine.clock),
    Check("ports", Text("ports", "端口"), doors.ports),
    Check("database", Text("database", "数据库"), rows.database, deadline=30),
    Check("migrations", Text("migrations", "数据库结构"), rows.migrations, 30, needs_tables=True),
    Check("lines", Text("lines to other machines", "跨机连接"), lines.lines, deadline=20),
    Check("redis", Text("Redis", "Redis"), running.redis_server),
    Check("processes", Text("processes", "进程"), running.processes),
    Check("calendar", Text("calendar", "交易日历"), rows.calendar, needs_tables=True),
    Check("schedule", Text("schedule", "周期任务"), rows.schedule, needs_tables=True),
    Check("settings", Text("settings", "系统配置"), rows.configuration, needs_tables=True),
    Check("terminals", Text("terminals", "终端"), accounts.terminals, needs_tables=True),
    Check("feeds", Text("quotes", "行情"), accounts.feeds, needs_tables=True),
    Check(
        "protection", Text("protection", "持仓保护"), accounts.protection, 30, needs_tables=True
    ),
    Check("backups", Text("backups", "备份"), rows.backups, 30, needs_tables=True),
    Check("findings", Text("health", "健康检查"), accounts.standing, needs_tables=True),
)
