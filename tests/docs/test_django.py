"""The recipes for Django of recipes/transactions and recipes/django, as printed.

Django's settings and models belong to a process, so each test has a process of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.pages import blocks, write_page
from tests.helpers.paths import ROOT
from tests.helpers.printed_commands import ending, sh
from tests.helpers.servers import Beanstalkd
from tests.helpers.shop import Shop, take
from tests.helpers.worker_process import write_module

MODELS = """
from django.db import models

class Order(models.Model):
    customer = models.TextField()
"""


DJANGO = """
import os, unittest
from functools import partial
from pathlib import Path
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["shop"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
from django.db import connection, transaction
from django.test import TestCase
from jobqueue import ArgumentError, BrokerError
from shop.models import Order
from shop.orders import place_order
from shop.tasks import send_receipt
from tests.helpers.servers import Beanstalkd
broker = Beanstalkd(Path(os.environ["BROKER"]))
def jobs():
    return broker.counts("receipts").get("ready", 0)
with connection.schema_editor() as editor:
    editor.create_model(Order)
"""


def run_django(shop: Shop, broker: Beanstalkd, script: str, **env: str) -> None:
    write_module(shop.folder, "shop.models", MODELS)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{DJANGO}{script}\nconnection.close()"],
        cwd=shop.folder,
        env=os.environ | {"BROKER": str(broker.target), "PYTHONPATH": str(ROOT)} | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_commit(shop: Shop, broker: Beanstalkd) -> None:
    script = """
place_order("ada")
assert jobs() == 1
with transaction.atomic():
    place_order("bob")
    place_order("cleo")
    assert jobs() == 1
assert jobs() == 3
assert [order.pk for order in Order.objects.all()] == [1, 2, 3]
"""
    run_django(shop, broker, script)

    assert list(take(broker).values()) == [1, 2, 3]


def test_rollback(shop: Shop, broker: Beanstalkd) -> None:
    script = """
try:
    with transaction.atomic():
        place_order("ada")
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
assert not Order.objects.exists()
with transaction.atomic():
    place_order("bob")
    transaction.set_rollback(True)
assert not Order.objects.exists()
with transaction.atomic():
    pass
"""
    run_django(shop, broker, script)

    assert take(broker) == {}


@pytest.mark.thorough
def test_savepoint(shop: Shop, broker: Beanstalkd) -> None:
    script = """
with transaction.atomic():
    place_order("ada")
    try:
        with transaction.atomic():
            place_order("bob")
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with transaction.atomic():
        Order.objects.create(pk=7, customer="cleo")
        transaction.on_commit(partial(send_receipt.put, order_id=7))
    assert jobs() == 0
assert [order.pk for order in Order.objects.all()] == [1, 7]
"""
    run_django(shop, broker, script)

    assert list(take(broker).values()) == [1, 7]


def test_test_case(shop: Shop, broker: Beanstalkd) -> None:
    script = """
class PlacingAnOrder(TestCase):
    def test(self):
        place_order("ada")
        assert jobs() == 0
        with self.captureOnCommitCallbacks(execute=True):
            place_order("bob")
            assert jobs() == 0
        assert jobs() == 1
result = unittest.TestResult()
unittest.defaultTestLoader.loadTestsFromTestCase(PlacingAnOrder).run(result)
assert result.testsRun == 1 and result.wasSuccessful(), result.errors
"""
    run_django(shop, broker, script)

    assert list(take(broker).values()) == [2]


@pytest.mark.thorough
def test_broker_away(shop: Shop, broker: Beanstalkd) -> None:
    """The put raises after the commit."""
    script = """
try:
    place_order("ada")
except BrokerError:
    pass
else:
    raise AssertionError
assert Order.objects.count() == 1
"""
    run_django(shop, broker, script, BEANSTALKD_URL="unix:///nowhere/b.sock")


@pytest.mark.thorough
def test_wrong_arguments(shop: Shop, broker: Beanstalkd) -> None:
    """The jobs after the wrong one are not put."""
    script = """
try:
    with transaction.atomic():
        place_order("ada")
        transaction.on_commit(partial(send_receipt.put, order="a mistake"))
        place_order("bob")
except ArgumentError:
    pass
else:
    raise AssertionError
assert Order.objects.count() == 2
"""
    run_django(shop, broker, script)

    assert list(take(broker).values()) == [1]


SETTINGS = """
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}}
"""

ORDERS = """
import django
django.setup()
from django.db import connection
from shop.models import Order
from shop.tasks import send_receipt
with connection.schema_editor() as editor:
    editor.create_model(Order)
for customer in "ada", "bob":
    send_receipt.put(order_id=Order.objects.create(customer=customer).pk)
connection.close()
"""


def test_worker(tmp_path: Path, broker: Beanstalkd) -> None:
    """The printed worker finds the tasks of the application, which use the models."""
    write_page("recipes/django", tmp_path)
    write_module(tmp_path, "shop.models", MODELS)
    write_module(tmp_path, "shop.settings", SETTINGS)
    (command,) = blocks("recipes/django", "sh")
    (tmp_path / "orders.py").write_text(ORDERS)
    put = "DJANGO_SETTINGS_MODULE=shop.settings python -W error orders.py"

    done = sh(f"{put} && {ending(command)}", broker, tmp_path)

    assert done.stdout == "Receipt for ada\nReceipt for bob\n", done.stderr
