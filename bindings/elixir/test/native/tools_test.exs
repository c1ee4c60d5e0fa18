defmodule SnakepitBridge.Native.ToolsTest do
  # Tools: calls reach the process that answers, and fail at once where nobody will.
  use SnakepitBridge.NativeCase

  setup do
    {:ok, session: session()}
  end

  defp register(session, options, pid \\ self()) do
    ref = make_ref()
    options = Map.merge(%{name: "t#{System.unique_integer([:positive])}"}, options)
    {:ok, tool} = Native.tool_register(platform(), session, options, pid, ref)
    {tool, ref, options.name}
  end

  # The next call, taken.
  defp take(tool, ref) do
    {:tool_call, id, _payload} = next(ref)
    {:ok, invocation} = Native.tool_take(tool, id)
    invocation
  end

  # Begins a call by Python.
  defp begin(session, name, arguments \\ %{}, operation \\ "call_tool") do
    ref = make_ref()
    options = %{framework: "python", operation: operation, timeout: 60_000}
    parameters = value(%{name: name, arguments: arguments})
    {:ok, operation} = Native.execute(session, options, parameters, self(), ref)
    {operation, ref}
  end

  test "a call comes with its arguments and takes its result", %{session: session} do
    {tool, ref, name} = register(session, %{description: "adds"})
    {_operation, call} = begin(session, name, %{a: 1})
    assert {:tool_call, id, {:term, %{"a" => 1}}} = next(ref)
    assert {:ok, invocation} = Native.tool_take(tool, id)
    assert {:error, %Error{status: :closed}} = Native.tool_take(tool, id)
    assert {:ok, %{"tool" => ^name, "stream" => false}} = Native.invocation_info(invocation)
    refute Native.invocation_cancelled?(invocation)
    assert Native.invocation_complete(invocation, value(%{sum: 3})) == :ok
    assert {:done, {:ok, {:term, %{"sum" => 3}}}} = next(call)
    assert {:error, %Error{status: status}} = Native.invocation_complete(invocation, value(1))
    assert status in [:handle, :already_completed]
  end

  test "a failure is what Python raises", %{session: session} do
    {tool, ref, name} = register(session, %{})
    {_operation, call} = begin(session, name)
    invocation = take(tool, ref)

    failure = %{status: :not_found, message: "no such row", details: ~s({"row":7}), retryable: true}
    assert Native.invocation_fail(invocation, failure) == :ok
    assert {:done, {:error, %Error{python_traceback: traceback}}} = next(call)
    assert traceback =~ "no such row"

    {_operation, call} = begin(session, name)
    invocation = take(tool, ref)
    assert {:error, %Error{}} = Native.invocation_fail(invocation, %{status: :no_such_status})
    assert Native.invocation_fail(invocation, %{message: "plain"}) == :ok
    assert {:done, {:error, %Error{}}} = next(call)
  end

  test "schemas are checked, and a refused result may be corrected", %{session: session} do
    schemas = %{
      input_schema: ~s({"type":"object","required":["a"]}),
      output_schema: ~s({"type":"integer"})
    }

    {tool, ref, name} = register(session, schemas)
    {_operation, call} = begin(session, name, %{})
    assert {:done, {:error, %Error{}}} = next(call)
    {_operation, call} = begin(session, name, %{a: 1})
    invocation = take(tool, ref)

    assert {:error, %Error{status: :invalid_argument}} =
             Native.invocation_complete(invocation, value("x"))

    assert Native.invocation_complete(invocation, value(1)) == :ok
    assert {:done, {:ok, {:term, 1}}} = next(call)
  end

  test "chunks go ahead of the result", %{session: session} do
    {tool, ref, name} = register(session, %{})
    {_operation, call} = begin(session, name, %{}, "stream_tool")
    invocation = take(tool, ref)
    for n <- 1..3, do: assert(Native.invocation_emit(invocation, value(n)) == :ok)
    assert Native.invocation_complete(invocation, value("end")) == :ok
    assert {:done, {:ok, {:term, %{"chunks" => [1, 2, 3], "result" => "end"}}}} = next(call)
  end

  test "a cancelled call is told", %{session: session} do
    {tool, ref, name} = register(session, %{})
    {operation, call} = begin(session, name)
    {:tool_call, id, _payload} = next(ref)
    {:ok, invocation} = Native.tool_take(tool, id)
    Native.operation_cancel(operation)
    assert next(ref) == {:tool_cancel, id}
    assert Native.invocation_cancelled?(invocation)

    assert {:error, %Error{status: :cancelled}} = Native.invocation_complete(invocation, value(1))

    assert {:done, {:error, %Error{status: :cancelled}}} = next(call)
  end

  test "the death of whoever holds the call fails it", %{session: session} do
    {tool, ref, name} = register(session, %{})
    {_operation, call} = begin(session, name)
    {:tool_call, id, _payload} = next(ref)

    {pid, :held} =
      teller(fn ->
        {:ok, invocation} = Native.tool_take(tool, id)
        Process.put(:invocation, invocation)
        :held
      end)

    kill(pid)
    assert {:done, {:error, %Error{}}} = next(call)
    assert {:error, %Error{}} = Native.tool_refuse(tool, id, %{message: "too late"})
  end

  test "a call is refused before and after it was taken", %{session: session} do
    {tool, ref, name} = register(session, %{})

    for taken? <- [false, true] do
      {_operation, call} = begin(session, name)
      {:tool_call, id, _payload} = next(ref)
      if taken?, do: {:ok, _} = Native.tool_take(tool, id)
      assert {:error, %Error{}} = Native.tool_refuse(tool, id, %{status: :no_such_status})
      assert Native.tool_refuse(tool, id, %{message: "not today"}) == :ok
      assert {:done, {:error, %Error{} = error}} = next(call)
      assert error.message <> error.python_traceback =~ "not today"
      assert {:error, %Error{}} = Native.tool_take(tool, id)
    end
  end

  test "a holder that has answered may die", %{session: session} do
    {tool, ref, name} = register(session, %{})
    {_operation, call} = begin(session, name)
    {:tool_call, id, _payload} = next(ref)

    {pid, :ok} =
      teller(fn ->
        {:ok, invocation} = Native.tool_take(tool, id)
        Native.invocation_complete(invocation, "done")
      end)

    kill(pid)
    assert {:done, {:ok, {:term, "done"}}} = next(call)
  end

  test "a dead receiver fails calls at once", %{session: session} do
    {pid, _} = teller(fn -> :ready end)
    {_tool, _ref, name} = register(session, %{owner: self()}, pid)
    kill(pid)
    {_operation, call} = begin(session, name)
    assert {:done, {:error, %Error{} = error}} = next(call)
    assert error.message <> error.python_traceback =~ "answers the tool's calls has ended"
  end

  test "a receiver that dies with the call in its hands fails it", %{session: session} do
    {pid, _} = teller(fn -> :ready end)
    {_tool, _ref, name} = register(session, %{owner: self()}, pid)
    {_operation, call} = begin(session, name)
    eventually(fn -> Process.info(pid, :message_queue_len) == {:message_queue_len, 1} end)
    kill(pid)
    assert {:done, {:error, %Error{}}} = next(call)
  end

  test "the owner's death unregisters the tool and fails its calls", %{session: session} do
    {owner, _} = teller(fn -> :ready end)
    {tool, ref, name} = register(session, %{owner: owner})
    {_operation, call} = begin(session, name)
    invocation = take(tool, ref)
    kill(owner)
    assert {:done, {:error, %Error{} = error}} = next(call)
    assert error.message <> error.python_traceback =~ "owns the tool has ended"
    eventually(fn -> name not in names(session) end)
    assert {:error, %Error{}} = Native.invocation_complete(invocation, value(1))
  end

  test "an unregistered tool is gone", %{session: session} do
    {tool, _ref, name} = register(session, %{})
    assert name in names(session)
    assert {:done, {:ok, _}} = done(&Native.tool_unregister(tool, &1, &2))
    refute name in names(session)

    assert {:error, %Error{status: :already_exists}} =
             (fn ->
                {_tool, _ref, taken} = register(session, %{})
                Native.tool_register(platform(), session, %{name: taken}, self(), make_ref())
              end).()
  end

  test "a tool of all sessions, called by the host", %{session: session} do
    {tool, ref, name} = register(nil, %{idempotent: true, max_in_flight: 3, timeout: 5_000})
    call = make_ref()
    {:ok, _} = Native.tool_call(session, %{name: name}, value(%{x: 1}), self(), call)
    {:tool_call, id, {:term, %{"x" => 1}}} = next(ref)
    {:ok, invocation} = Native.tool_take(tool, id)
    :ok = Native.invocation_complete(invocation, value(2))
    assert next(call) == {:done, {:ok, {:term, 2}}}
    {:done, {:ok, _}} = done(&Native.tool_unregister(tool, &1, &2))
  end

  test "a call made for a tool call is nested in it", %{session: session} do
    {tool, ref, name} = register(session, %{})
    {_operation, call} = begin(session, name)
    invocation = take(tool, ref)
    options = %{framework: "python", operation: "echo", parent: invocation}
    inner = make_ref()
    {:ok, _} = Native.execute(session, options, value(%{value: 9}), self(), inner)
    assert next(inner) == {:done, {:ok, {:term, 9}}}
    :ok = Native.invocation_complete(invocation, value(nil))
    assert {:done, {:ok, {:term, nil}}} = next(call)
  end

  defp names(session) do
    {:ok, tools} = Native.tool_list(platform(), session)
    for %{"name" => name} <- tools, do: name
  end
end
