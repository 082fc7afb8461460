"""The backend: installing it, and ending what it does."""

from typing import TYPE_CHECKING

import bpy

from .. import jobs, preferences
from ..backend.errors import BackendMissingError
from ..classes import register_all, unregister_all
from .base import DirectOperator, FollowJob, WorkOperator

if TYPE_CHECKING:
    from bpy.types import Context

    from .base import Outcome


class OfflineError(BackendMissingError):
    """Nothing can be downloaded: Blender must not go online."""

    action = "paintover.show_network"


def install_work() -> jobs.Work:
    """Make the extension's own Python environment. Raises ``OfflineError``."""
    from ..client.install import Installer

    if not bpy.app.online_access:
        raise OfflineError(
            "Blender is set to stay offline.",
            "Switch on Preferences > System > Network > Allow Online Access, or name an existing Python.",
        )

    def begin() -> jobs.Ticket:
        jobs.close_backend()  # Windows moves no folder whose Python runs
        installer = Installer(preferences.environment(), preferences.base_python(), preferences.choice().index)
        return installer.start()

    def finish(_value: jobs.Report) -> None:
        preferences.choose_own_environment()
        jobs.close_backend()

    return jobs.Work("Install Backend", begin, finish, of_file=False)


class InstallBackend(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.install_backend"
    bl_label = "Install Backend"
    bl_description = "Download PyTorch and its friends into an environment that belongs to Paintover"

    def work(self, _context: "Context") -> jobs.Work:
        return install_work()


class ShowPreferences(bpy.types.Operator):
    bl_idname = "paintover.show_preferences"
    bl_label = "Open Preferences"
    bl_description = "Open Paintover's preferences, which name what the backend runs in"
    bl_options = {"INTERNAL"}

    def execute(self, _context: "Context") -> "Outcome":
        bpy.ops.preferences.addon_show(module=preferences.PaintoverPreferences.bl_idname)
        return {"FINISHED"}


class ShowNetwork(bpy.types.Operator):
    bl_idname = "paintover.show_network"
    bl_label = "Open System Preferences"
    bl_description = "Open Blender's preferences where Allow Online Access is"
    bl_options = {"INTERNAL"}

    def execute(self, _context: "Context") -> "Outcome":
        bpy.ops.screen.userpref_show("INVOKE_DEFAULT", section="SYSTEM")
        return {"FINISHED"}


class StopJob(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.stop_job"
    bl_label = "Stop (Keep Best)"
    bl_description = "End the training now and keep the best look so far. Esc does the same"

    @classmethod
    def poll(cls, _context: "Context") -> bool:
        running = jobs.session.running
        return running is not None and running.work.stoppable

    def perform(self, _context: "Context") -> str:
        jobs.stop()
        return "Stopping: the best so far is kept."


class CancelJob(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.cancel_job"
    bl_label = "Cancel"
    bl_description = "Give up what Paintover is doing. Nothing half-done is kept"

    @classmethod
    def poll(cls, _context: "Context") -> bool:
        return jobs.session.running is not None or bool(jobs.session.again)

    def perform(self, _context: "Context") -> str:
        jobs.cancel()
        return "Cancelling."


class DismissMessage(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.dismiss_message"
    bl_label = "Dismiss"
    bl_description = "Put Paintover's last message away"
    bl_options = {"INTERNAL"}

    def perform(self, _context: "Context") -> str:
        jobs.dismiss()
        return "Dismissed."


CLASSES = (InstallBackend, FollowJob, ShowPreferences, ShowNetwork, StopJob, CancelJob, DismissMessage)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
