"""The development server without sockets, at a time that a test sets."""

from jobqueue.devserver.broker import Broker
from jobqueue.devserver.conversation import Conversation, Conversations
from jobqueue.devserver.records import SECOND


class FakeTransport:
    """A transport that keeps what is written, and notes what it is asked to do."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False
        self.is_reading = True
        self.paused: Conversation | None = None  # a conversation to pause

    def write(self, data: bytes) -> None:
        self.written += data
        if self.paused:
            self.paused.pause()

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def take(self) -> bytes:
        written, self.written = self.written, b""
        return written


class Core:
    """A broker at a time that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0
        self.conversations = Conversations(Broker(lambda: self.now, 2**20))

    def client(self) -> "Client":
        return Client(self.conversations)

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)
        self.conversations.tick()


class Client:
    def __init__(self, conversations: Conversations) -> None:
        self.conversations = conversations
        self.transport = FakeTransport()
        self.conversation = conversations.start(self.transport)

    def ask(self, data: bytes) -> bytes:
        self.conversation.receive(data)
        self.conversations.proceed()
        return self.transport.take()
