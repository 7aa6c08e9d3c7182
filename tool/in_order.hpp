// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace tool {

/// Gives results to one place in the order in which work was handed out, whoever is ready first. Each piece of work has
/// a number, counted from 0, and any number of results; what waits for its turn has a bound.
template <class Result>
class InOrder {
public:
    /// `take` is called by one thread at a time. No work is begun that is more than `ahead` pieces before its turn.
    InOrder(std::size_t ahead, std::function<void(Result)> take) : ahead_(ahead), take_(std::move(take)) {}

    /// Waits until the piece of work may begin.
    void begin(std::size_t number) {
        std::unique_lock lock(mutex_);
        turns_.wait(lock, [&] { return number < turn_ + ahead_; });
    }
    void give(std::size_t number, Result result) {
        std::unique_lock lock(mutex_);
        if (number != turn_ && waiting_[number].size() >= most_waiting)
            turns_.wait(lock, [&] { return number == turn_; });
        if (number != turn_) {
            waiting_[number].push_back(std::move(result));
            return;
        }
        flush(number);
        take_(std::move(result));
    }
    void end(std::size_t number) {
        const std::lock_guard lock(mutex_);
        ended_.insert(number);
        for (auto ended = ended_.find(turn_); ended != ended_.end(); ended = ended_.find(turn_)) {
            flush(turn_);
            ended_.erase(ended);
            ++turn_;
        }
        turns_.notify_all();
    }

private:
    static constexpr std::size_t most_waiting = 1024;

    void flush(std::size_t number) {
        const auto results = waiting_.find(number);
        if (results == waiting_.end()) return;
        for (Result& result : results->second) take_(std::move(result));
        waiting_.erase(results);
    }

    std::size_t ahead_;
    std::function<void(Result)> take_;
    std::mutex mutex_;
    std::condition_variable turns_;
    std::size_t turn_ = 0;
    std::map<std::size_t, std::vector<Result>> waiting_;
    std::set<std::size_t> ended_;
};

}  // namespace tool
