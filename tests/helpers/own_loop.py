"""What a task does to the event loop that it runs on."""

import asyncio
import sys


async def close_own_loop() -> None:
    """Close the running loop, and wait on it: in vain."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, _context: loop.close())
    loop.call_soon(sys.exit)  # then the loop is not running, and can be closed
    await asyncio.sleep(60)
